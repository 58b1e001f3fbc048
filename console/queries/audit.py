"""Audit entries as a page shows them: what changed, field by field, and what else is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from accounts.facade import AuditEntry
from console.formats import NOTHING

#: Pages of things, by the prefix of their ids.
_PAGES = {"inv": "console:invoice", "cus": "console:customer"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: what it was and what it is; a dash where there was nothing."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    entry: AuditEntry
    words: str
    link: str
    differences: tuple[Difference, ...]
    facts: tuple[tuple[str, str], ...]


def entry_row(entry: AuditEntry) -> EntryRow:
    detail = entry.detail if isinstance(entry.detail, dict) else {}
    before, after = _mapping(detail.get("before")), _mapping(detail.get("after"))
    is_difference = bool(before or after)
    differences = tuple(
        Difference(name, _text(before.get(name)), _text(after.get(name))) for name in {**before, **after}
    )
    facts = tuple(
        (name, _text(value))
        for name, value in detail.items()
        if not (is_difference and name in {"before", "after"}) and value not in (None, "", [], {})
    )
    return EntryRow(entry, _words(entry.action), _link(entry.target), differences, facts)


def _words(action: str) -> str:
    """`api_key.create` as "API key: create"."""
    thing, _, verb = action.partition(".")
    thing = thing.replace("_", " ").replace("api ", "API ")
    return f"{thing[:1].upper()}{thing[1:]}: {verb.replace('_', ' ')}" if verb else thing


def _link(target: str) -> str:
    name = _PAGES.get(target.partition("_")[0])
    return reverse(name, args=[target]) if name and len(target) == 30 else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value) or NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
