"""Which credit grant pays what, in the one order that is promised to customers.

1. The lower `priority` number first;
2. then what expires earlier (what never expires last);
3. then by where it came from: promotion, rollover, purchase, balance;
4. then what was made earlier.

A grant pays for what falls due at t when `effective_at` < t <= `expires_at`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from billing.rating.pricing.exact import ZERO, subtract

#: What was given away goes before what was paid for, and that before what is owed to the customer anyway.
SOURCES: Final = ("promotion", "rollover", "purchase", "balance")


@dataclass(frozen=True, slots=True)
class Grant:
    """What decides when a grant is drawn; `balance` is what is left of it, in its own unit."""

    id: str
    balance: Decimal
    effective_at: datetime
    created_at: datetime
    expires_at: datetime | None = None
    priority: int = 100
    source: str = "promotion"

    def pays_at(self, at: datetime) -> bool:
        """Whether it is usable for what falls due at `at`."""
        return self.effective_at < at and (self.expires_at is None or at <= self.expires_at)


@dataclass(frozen=True, slots=True)
class Draw:
    """So much taken from one grant."""

    grant_id: str
    amount: Decimal


def in_order(grants: Iterable[Grant]) -> list[Grant]:
    """`grants` as they are drawn."""
    return sorted(grants, key=_place)


def draw(grants: Iterable[Grant], amount: Decimal, at: datetime) -> tuple[Draw, ...]:
    """What pays `amount`, due at `at`, or as much of it as there is. Nothing pays for less than nothing."""
    draws: list[Draw] = []
    for grant in in_order(grants):
        taken = min(grant.balance, amount)
        if taken > 0 and grant.pays_at(at):
            draws.append(Draw(grant.id, taken))
            amount = subtract(amount, taken)
    return tuple(draws)


def rolled_over(balance: Decimal, limit: Decimal | None) -> Decimal:
    """How much of what is left at expiry lives on: at most `limit`, nothing without one."""
    return ZERO if limit is None else min(balance, limit)


def _place(grant: Grant) -> tuple[int, bool, float, int, datetime, str]:
    expiry = 0.0 if grant.expires_at is None else grant.expires_at.timestamp()
    return (
        grant.priority,
        grant.expires_at is None,
        expiry,
        SOURCES.index(grant.source),
        grant.created_at,
        grant.id,
    )
