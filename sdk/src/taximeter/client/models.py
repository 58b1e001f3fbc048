"""What the API answers, as frozen dataclasses: amounts and quantities are `Decimal`, times aware datetimes in UTC.

A field whose `metadata` says `json` is called so in the API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    metadata: dict[str, Any]
    test_clock: str | None
    created_at: datetime


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
    model: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """A set of prices."""

    id: str
    version: int
    currency: str
    interval: str
    interval_count: int
    trial_days: int
    minimum_commitment: Decimal
    prices: tuple[Price, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(PlanVersion):
    """A plan as its newest version has it; `versions` is filled by `plans.get`."""

    key: str
    name: str
    versions: tuple[PlanVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatChange:
    """From `starts_at` on there are `seats` seats."""

    seats: int
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A customer (its key) on a plan (its key)."""

    id: str
    customer: str
    plan: str
    plan_version: int
    starts_at: datetime
    ends_at: datetime | None
    anchor: str
    trial_days: int
    seats: int
    seat_changes: tuple[SeatChange, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingLine:
    """One price over one period. `events` is how many usage events are behind it."""

    price: str
    kind: str
    description: str
    quantity: Decimal
    unit_amount: Decimal | None
    amount: Decimal
    tax: Decimal
    period_start: datetime
    period_end: datetime
    breakdown: tuple[dict[str, Any], ...]
    steps: tuple[dict[str, Any], ...]
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine(UpcomingLine):
    """A line of an issued invoice; `invoices.events` lists what is behind it."""

    id: str
    tax_rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingInvoice:
    """What the open period of a subscription would cost if it ended now."""

    customer: str
    subscription: str
    status: str
    currency: str
    period_start: datetime
    period_end: datetime
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    amount_due: Decimal
    lines: tuple[UpcomingLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingInvoices(UpcomingInvoice):
    """The first, with those of the customer's other subscriptions."""

    others: tuple[UpcomingInvoice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice. Amounts are in major units of `currency`; `period_end` is the first instant not in it."""

    id: str
    kind: str
    number: str | None
    customer: str
    subscription: str
    status: str
    currency: str
    month: str
    period_start: datetime
    period_end: datetime
    subtotal: Decimal
    discount: Decimal
    credits_applied: Decimal
    tax: Decimal
    total: Decimal
    amount_due: Decimal
    created_at: datetime
    finalized_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    lines: tuple[InvoiceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUsage:
    """A line whose usage has changed since the invoice was issued."""

    line: str
    price: str
    billed_quantity: Decimal
    quantity: Decimal
    difference: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUsageList:
    data: tuple[LateUsage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRun:
    """The closing of a month: `done` of `total` bills are looked at."""

    id: str
    month: str
    status: str
    total: int
    done: int
    invoices: int
    problems: tuple[dict[str, Any], ...]
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Turns usage events into a quantity; `projection` is filled by `meters.get`."""

    id: str
    key: str
    name: str
    unit: str
    version: int
    event_type: str
    aggregation: str
    value: str | None
    filters: tuple[dict[str, Any], ...]
    dimensions: dict[str, str]
    created_at: datetime
    projection: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """A quantity in `start` ≤ t < `end`; None where an average or a maximum is of nothing."""

    start: datetime
    end: datetime
    quantity: Decimal | None
    customer: str | None = None
    group: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A meter's quantities by window, customer and group."""

    meter: str
    start: datetime = field(metadata={"json": "from"})
    end: datetime = field(metadata={"json": "to"})
    window: str
    timezone: str
    rows: tuple[UsageRow, ...] = field(metadata={"json": "data"})

    @property
    def quantity(self) -> Decimal:
        """The one quantity of a question without windows and groups, 0 where nothing was used; else `ValueError`."""
        if self.window != "total" or len(self.rows) > 1:
            raise ValueError("this was asked by window or group, and has a quantity for each: read `rows`")
        return (self.rows[0].quantity if self.rows else None) or Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """A recorded event. `customer` is the key it names, or None; `voided` says that it was taken back."""

    id: str
    source: str
    type: str
    customer: str | None = field(metadata={"json": "subject"})
    time: datetime
    received_at: datetime
    data: Any
    voided: bool
