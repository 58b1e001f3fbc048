"""Audit entries as a page shows them: what changed, field by field, and what else is known."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from accounts.facade import AuditEntry, api_keys_of
from agents.facade import Agent
from billing.facade import credit_notes_of, customers_of, invoices_of, plans_of, runs_of, subscriptions_of
from console.formats import NOTHING, month_named
from console.templatetags.console_format import instant, page_about
from exports.facade import schedules_of
from notifications.facade import endpoints_of


@dataclass(frozen=True, slots=True)
class _Named:
    """Things whose ids people cannot read: where they are found, what names them, and the page about one of them."""

    found: Callable[[int], QuerySet[Any]]
    fields: tuple[str, ...]
    words: Callable[..., str]
    page: str
    about: Callable[..., Sequence[str]] | None = None


def _id_alone(pk: str, *_: str) -> Sequence[str]:
    return [pk]


_ID_LENGTH = 30
_EMPTY: tuple[Any, ...] = (None, "", [], {})

#: By the prefix of their ids.
_NAMED: Mapping[str, _Named] = {
    "inv": _Named(
        invoices_of,
        ("number", "customer__name"),
        lambda _, number, customer: number or f"Draft for {customer}",
        "invoice",
        _id_alone,
    ),
    "crn": _Named(credit_notes_of, ("number",), lambda _, number: number, "credit_note", _id_alone),
    "cus": _Named(customers_of, ("name",), lambda _, name: name, "customer", _id_alone),
    "sub": _Named(
        subscriptions_of,
        ("customer_id", "customer__name", "plan_version__plan__name"),
        lambda _, __, customer, plan: f"{customer} on {plan}",
        "customer",
        lambda _, customer, *__: [customer],
    ),
    "pln": _Named(plans_of, ("key", "name"), lambda _, __, name: name, "plan", lambda _, key, __: [key]),
    "key": _Named(api_keys_of, ("name", "hint"), lambda _, name, hint: name or hint, "api_keys"),
    "whe": _Named(endpoints_of, ("url",), lambda _, url: url, "webhook", _id_alone),
    "run": _Named(runs_of, ("month",), lambda _, month: f"Run for {month_named(month)}", "runs"),
    "exs": _Named(
        schedules_of, ("kinds",), lambda _, kinds: f"Every month: {', '.join(kinds).replace('_', ' ')}", "exports"
    ),
    "agt": _Named(
        lambda organization_id: Agent.objects.filter(organization_id=organization_id),
        ("name",),
        lambda _, name: name,
        "agents",
    ),
}

#: Pages of what is named by its key, by the first part of an action.
_PAGES = {"plan": "plan", "customer": "customer", "portal_link": "customer", "portal": "customer"}


@dataclass(frozen=True, slots=True)
class Target:
    """What an entry is about: its name, or else what the entry has; `link` is empty where no page is about it."""

    name: str
    link: str


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
    target: Target
    differences: tuple[Difference, ...]
    facts: tuple[tuple[str, str], ...]


def entry_rows(organization_id: int, entries: Iterable[AuditEntry]) -> list[EntryRow]:
    """The entries, with the names of what they are about: one query for each kind of thing among them."""
    entries = list(entries)
    targets = _targets(organization_id, {one.target for one in entries})
    return [_row(one, targets.get(one.target) or _by_key(one)) for one in entries]


def _targets(organization_id: int, references: Iterable[str]) -> dict[str, Target]:
    by_prefix = defaultdict(list)
    for one in references:
        by_prefix[one.partition("_")[0] if len(one) == _ID_LENGTH else ""].append(one)
    targets = {}
    for prefix, named in _NAMED.items():
        if ids := by_prefix.get(prefix):
            for row in named.found(organization_id).filter(pk__in=ids).values_list("pk", *named.fields):
                link = reverse(f"console:{named.page}", args=named.about(*row) if named.about else [])
                targets[row[0]] = Target(named.words(*row), link)
    return targets


def _by_key(entry: AuditEntry) -> Target:
    page = _PAGES.get(entry.action.partition(".")[0])
    is_key = len(entry.target) != _ID_LENGTH
    return Target(entry.target, page_about(page, entry.target) if page and is_key else "")


def _row(entry: AuditEntry, target: Target) -> EntryRow:
    detail = entry.detail if isinstance(entry.detail, dict) else {}
    before, after = _mapping(detail.get("before")), _mapping(detail.get("after"))
    is_difference = bool(before or after)
    differences = tuple(
        Difference(_field(name), _text(before.get(name)), _text(after.get(name))) for name in {**before, **after}
    )
    facts = tuple(
        (_field(name), _text(value))
        for name, value in detail.items()
        if not (is_difference and name in {"before", "after"}) and value not in _EMPTY
    )
    return EntryRow(entry, _words(entry.action), target, differences, facts)


def _words(action: str) -> str:
    """`api_key.create` as "API key: create"."""
    thing, _, verb = action.partition(".")
    thing = thing.replace("_", " ").replace("api ", "API ")
    return f"{thing[:1].upper()}{thing[1:]}: {verb.replace('_', ' ')}" if verb else thing


def _field(name: str) -> str:
    """`settlement_window_hours` as "Settlement window hours"."""
    return name.replace("_", " ").capitalize()


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A time as a page writes it, anything else in words."""
    at = _time_in(value) if isinstance(value, str) else None
    return instant(at) if at else _written(value)


def _written(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ("; " if any(isinstance(part, dict) for part in value) else ", ").join(map(_written, value)) or NOTHING
    if isinstance(value, dict):
        return ", ".join(
            f"{_field(name).lower()} {_written(part)}" for name, part in value.items() if part not in _EMPTY
        )
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time_in(value: str) -> datetime | None:
    """The instant that this text is, as entries keep one: RFC 3339."""
    if "T" not in value:
        return None
    try:
        found = parse_datetime(value)
    except ValueError:
        return None
    return found if found and found.tzinfo else None
