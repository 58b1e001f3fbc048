from __future__ import annotations

import re

from tests.licences import HEADING, NOTICE, listing, pinned

_COPYLEFT = ("LGPL", "GPL", "MPL", "EPL", "CDDL", "EUPL", "AGPL")


def test_notice_lists_every_package_with_its_licence() -> None:
    listed = NOTICE.read_text().split(HEADING)[1]
    assert listed == listing(), "Run: python -m tests.licences"
    assert len(pinned()) > 50


def test_copyleft_packages_are_known() -> None:
    listed = NOTICE.read_text().split(HEADING)[1]
    own = [re.match(r"- ([\w.\-]+): ([^;]*)", line) for line in listed.splitlines()]
    assert {found[1]: found[2] for found in own if found and any(kind in found[2] for kind in _COPYLEFT)} == {
        "certifi": "MPL-2.0",
        "psycopg": "LGPL-3.0-only",
        "psycopg-binary": "LGPL-3.0-only",
        "psycopg-pool": "LGPL-3.0-only",
        "pykdtree": "LGPL-3.0-or-later",
        "python-stdnum": "LGPL-2.1-or-later",
    }
