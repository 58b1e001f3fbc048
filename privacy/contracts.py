"""The values that go in and out of privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from billing.facade import Customer


@dataclass(frozen=True, slots=True)
class Kept:
    """Something about an erased customer that stays: its kind, the reason, and the last day; None for no end."""

    what: str
    why: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome of anonymizing or erasing a customer.

    `removed` counts by kind; `beyond_reach` names places that this server cannot reach. `is_complete` is False while
    text in a long history of events is still being made unreadable in the background.
    """

    customer: Customer
    removed: Mapping[str, int]
    kept: Sequence[Kept]
    beyond_reach: Sequence[str]
    is_complete: bool
