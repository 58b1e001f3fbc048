"""Budgets, features, and what a check answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from taximeter.client.errors import NotAllowed

#: The reason of a verdict that is this client's own, since Taximeter could not be asked.
UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What a check holds for the work to come."""

    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether work may be done; true where it may.

    `reason` is a stable code where it may not, `detail` says it to people, `budget` is the budget's id. `remaining` is
    how much of the meter is left afterwards, `remaining_amount` how much money; None where nothing limits it.
    """

    allowed: bool
    reason: str | None
    detail: str | None
    budget: str | None
    remaining: Decimal | None
    remaining_amount: Decimal | None
    currency: str | None
    warnings: tuple[str, ...]
    reservation: Reserved | None

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def is_answered(self) -> bool:
        """Whether Taximeter said so; false where it could not be asked and the client's setting decided."""
        return self.reason != UNREACHABLE

    def require(self) -> Verdict:
        """This verdict; raises `NotAllowed` where the work may not be done."""
        if not self.allowed:
            raise NotAllowed(self)
        return self


def unreachable(error: Exception, *, allowed: bool) -> Verdict:
    """What stands for an answer where there is none."""
    return Verdict(
        allowed=allowed,
        reason=UNREACHABLE,
        detail=f"Taximeter could not be asked: {error}",
        budget=None,
        remaining=None,
        remaining_amount=None,
        currency=None,
        warnings=(),
        reservation=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """`held`, then `released`, `expired`, or `committed` and, once its usage is counted, `settled`."""

    id: str
    customer: str
    agent: str | None
    feature: str | None
    meter: str | None
    quantity: Decimal | None
    state: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where a budget mails, calls a webhook or stops; `percent` of its amount."""

    percent: str
    actions: tuple[str, ...]
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """How far a budget has come in its period: `used` as of `evaluated_at`, `held` by reservations."""

    period_start: datetime | None
    period_end: datetime | None
    used: Decimal
    held: Decimal
    remaining: Decimal
    percent: Decimal
    stops_at: Decimal | None
    is_stopped: bool
    evaluated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An amount or quantity per period. `measure` is `{"meter", "filter"}` or `{"money": "spend" | "cost"}`."""

    id: str
    key: str
    name: str
    scope: str
    customer: str | None
    agent: str | None
    plan: str | None
    measure: dict[str, Any]
    amount: Decimal
    currency: str | None
    period: str
    timezone: str
    thresholds: tuple[Threshold, ...]
    state: BudgetState
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A threshold that was reached; `amount` is what the budget was then."""

    budget: str
    key: str
    name: str
    scope: str
    customer: str | None
    agent: str | None
    percent: Decimal
    amount: Decimal
    used: Decimal
    currency: str | None
    meter: str | None
    period_start: datetime
    period_end: datetime
    actions: tuple[str, ...]
    crossed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What a customer may use."""

    id: str
    key: str
    name: str
    meter: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """How much of a feature a plan version has: without a `limit`, no end; one that is not `hard` only warns."""

    feature: str
    meter: str | None
    limit: Decimal | None
    hard: bool
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlements:
    """The features of a plan version."""

    plan: str
    version: int
    entitlements: tuple[Entitlement, ...]
