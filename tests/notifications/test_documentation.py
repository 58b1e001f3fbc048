from __future__ import annotations

import re
from pathlib import Path

from launcher.paths import ROOT
from notifications.event_types import EVENT_TYPES
from notifications.mail_kinds import MAIL_KINDS


def test_the_table_of_event_types_is_complete() -> None:
    text = Path(ROOT / "docs" / "webhooks.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", text, re.MULTILINE)
    assert dict(rows) == EVENT_TYPES


def test_every_kind_of_mail_is_documented() -> None:
    text = Path(ROOT / "docs" / "mail.md").read_text()
    assert [kind for kind in MAIL_KINDS if f"`{kind}`" not in text] == []
