"""Prepaid credit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingUnit:
    """A unit that prices may be named in, and what one is worth in `currency`."""

    id: str
    key: str
    name: str
    currency: str
    rate: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGrant:
    """Prepaid money, units or usage: `amount` at first, `balance` now."""

    id: str
    customer: str
    name: str
    source: str
    currency: str | None
    pricing_unit: str | None
    meter: str | None
    amount: Decimal
    balance: Decimal
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    rollover_limit: Decimal | None
    rollover_days: int | None
    voided_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditMovement:
    """One change of a grant's balance."""

    id: int
    occurred_at: datetime
    kind: str
    grant: str
    name: str
    currency: str | None
    pricing_unit: str | None
    meter: str | None
    amount: Decimal
    balance: Decimal
    invoice: str | None
    invoice_number: str | None
    line: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldGrant:
    """A grant that still holds something."""

    grant: str
    name: str
    balance: Decimal
    priority: int
    effective_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBalance:
    """What can be drawn in one currency, unit or meter; `pending` is not effective yet."""

    currency: str | None
    pricing_unit: str | None
    meter: str | None
    available: Decimal
    pending: Decimal
    grants: tuple[HeldGrant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBalances:
    """A customer's credit, by what it is held in."""

    customer: str
    at: datetime
    data: tuple[CreditBalance, ...]
