"""Invoices, and what corrects and pays them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingLine:
    """One price over one period. `events` is how many usage events are behind it."""

    price: str | None
    kind: str
    role: str
    description: str
    quantity: Decimal
    unit_amount: Decimal | None
    units: Decimal | None
    amount: Decimal
    discount: Decimal
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
    adjusts: str | None
    tax_rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingInvoice:
    """The invoice of a subscription's open period as it would be if that ended now.

    `spend` is what the period itself costs so far, before tax and credit, after coupons and credit notes.
    """

    customer: str
    subscription: str | None
    status: str
    currency: str
    period_start: datetime
    period_end: datetime
    spend: Decimal
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    credits_applied: Decimal
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
    subscription: str | None
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
    tax_treatment: str
    tax_rounding: str
    finalize_at: datetime | None
    finalized_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    lines: tuple[InvoiceLine, ...]
    unprintable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbilledChange:
    """A line whose usage has changed since its invoice was issued, and its price, or the problem that it has none."""

    line: str
    price: str | None
    billed_quantity: Decimal
    quantity: Decimal
    difference: Decimal
    amount: Decimal | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUsageList:
    """All such lines of an invoice."""

    data: tuple[UnbilledChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUsage:
    """Late usage as it was found, and what became of it (`resolution`)."""

    id: str
    customer: str
    invoice: str
    line: str
    quantity: Decimal
    amount: Decimal
    resolution: str
    problem: str | None
    adjusted_on: str | None
    found_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Something charged by hand, on an invoice or waiting for one."""

    id: str
    customer: str
    description: str
    status: str
    currency: str
    quantity: Decimal
    unit_amount: Decimal
    amount: Decimal
    tax_rate: Decimal | None
    period_start: datetime
    period_end: datetime
    invoice: str | None
    line: str | None
    created_at: datetime
    unprintable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """What is taken back of an invoice line."""

    line: str
    amount: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """What corrects a finalized invoice: a `correction` of what was billed, or `goodwill` (`kind`)."""

    id: str
    number: str
    invoice: str
    customer: str
    kind: str
    reason: str
    currency: str
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    applied: Decimal
    credited: Decimal
    refunded: Decimal
    issued_at: datetime
    lines: tuple[CreditNoteLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money that came in for an invoice, or went back (`refund_of`)."""

    id: str
    invoice: str
    customer: str
    amount: Decimal
    currency: str
    method: str
    reference: str
    refund_of: str | None
    paid_at: datetime


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
class BillingPolicy:
    """How the organization bills: grace before a month is closed, time to pay, what becomes of late usage, when
    invoices are issued."""

    grace_hours: int
    payment_days: int
    late_usage: str
    zero_amount: str
    issue: str
    tax_rounding: str
