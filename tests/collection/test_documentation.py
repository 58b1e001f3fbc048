"""What docs/payments.md says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from collection.models import CollectionPolicy
from console.collecting_words import DIFFERENCES
from launcher.paths import ROOT

TEXT = Path(ROOT / "docs" / "payments.md").read_text()


def test_the_table_of_differences_is_complete_and_says_what_the_console_says() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    table = {kind: (says, do) for kind, says, do in rows if kind in DIFFERENCES}
    assert table == {kind: (one.says, one.do) for kind, one in DIFFERENCES.items()}


def test_every_choice_of_the_policy_is_documented() -> None:
    names = [field.name for field in CollectionPolicy._meta.fields if field.name != "organization"]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_every_address_it_names_is_one() -> None:
    from django.urls import Resolver404, resolve

    missing = []
    for path in re.findall(r"(/api/v1/[a-z_/{}]+|…/api/v1/[a-z_]+)", TEXT):
        address = re.sub(r"\{[a-z]+\}", "x", path.removeprefix("…")).rstrip("/")
        try:
            resolve(address)
        except Resolver404:
            missing.append(path)
    assert missing == []
