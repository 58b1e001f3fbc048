"""Customers and what they are subscribed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who is billed."""

    id: str
    key: str
    name: str
    email: str
    currency: str
    timezone: str
    address: Any
    tax_rate: Decimal
    tax_id: str
    tax_treatment: str
    locale: str
    metadata: dict[str, Any]
    test_clock: str | None
    created_at: datetime
    anonymized_at: datetime | None
    erased_at: datetime | None
    merged_into: str | None
    unprintable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """How a fixed fee, seats or a meter becomes money; `model` as the API's documentation has it."""

    id: str
    key: str
    name: str
    kind: str
    meter: str | None
    filter: dict[str, Any]
    bill: str
    prorate: bool
    included: Decimal
    minimum: Decimal | None
    maximum: Decimal | None
    pricing_unit: str | None
    unit_rate: Decimal | None
    tax_rate: Decimal | None
    model: dict[str, Any]
    unprintable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """A set of prices."""

    id: str
    version: int
    currency: str
    interval: str
    interval_count: int
    trial_days: int
    trial_once_per_customer: bool
    minimum_commitment: Decimal
    invoice_threshold: Decimal | None
    settlement_hours: int
    prices: tuple[Price, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(PlanVersion):
    """A plan as its newest version has it; `versions` is filled by `plans.get`."""

    key: str
    name: str
    add_on: bool
    versions: tuple[PlanVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatChange:
    """From `starts_at` on there are `seats` seats; not `takes_effect` where the subscription ends before."""

    seats: int
    starts_at: datetime
    takes_effect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """From `starts_at` on it is on this plan; not `takes_effect` where the subscription ends before."""

    plan: str
    plan_version: int
    starts_at: datetime
    takes_effect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedChange:
    """A change to come that a later one dropped: another plan, or another number of seats."""

    plan: str | None
    plan_version: int | None
    seats: int | None
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is charged from `starts_at` to `ends_at`."""

    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """Another plan within a subscription."""

    id: str
    plan: str
    quantity: int
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A customer (its key) on a plan (its key). With `usage` "named" it counts only events that name it."""

    id: str
    key: str | None
    customer: str
    status: str
    usage: str
    plan: str
    plan_version: int
    overridden_prices: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    anchor: str
    trial_days: int
    trial_ends_at: datetime | None
    continued_by: str | None
    seats: int
    seat_changes: tuple[SeatChange, ...]
    plan_changes: tuple[PlanChange, ...]
    dropped_changes: tuple[DroppedChange, ...]
    pauses: tuple[Pause, ...]
    add_ons: tuple[AddOn, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """What takes something off, by percent or by amount."""

    id: str
    key: str
    name: str
    percent: Decimal | None
    amount: Decimal | None
    currency: str | None
    periods: int | None
    max_redemptions: int | None
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A coupon on a subscription; `taken_off` is what it has taken off so far."""

    id: str
    coupon: str
    subscription: str
    starts_at: datetime
    ends_at: datetime | None
    taken_off: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionList:
    """The coupons of a subscription."""

    data: tuple[Redemption, ...]
