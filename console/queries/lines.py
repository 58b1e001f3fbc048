"""Lines of invoices, issued or upcoming, in the one shape in which pages show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse

from billing.facade import Invoice, InvoiceLine, Price, PricedInvoice, PricedLine
from console.formats import DASH, NOTHING, money, quantity
from console.wording import amount_in_words, plural, step_in_words, tax_in_words, unit_of
from metering.facade import Meter

_REASONS = {"minimum": "Minimum", "maximum": "Maximum", "proration": "Proration", "credits": "Paid by credit grants"}


@dataclass(frozen=True, slots=True)
class BreakdownWords:
    """A part of a charge, written: which units, how many, at what, and what they come to."""

    part: str
    quantity: str
    unit_amount: str
    flat_amount: str
    amount: str


@dataclass(frozen=True, slots=True)
class LineView:
    """A line and how it came about. `events_link` is where its usage events are, where it has any."""

    id: str
    description: str
    kind: str
    quantity: Decimal
    unit: str
    unit_amount: str
    amount: str
    tax: Decimal
    breakdown: tuple[BreakdownWords, ...]
    steps: tuple[str, ...]
    events: int
    events_link: str
    discount: Decimal
    days: int
    period_start: datetime
    period_end: datetime
    #: Where it is for usage that begins or ends within a day.
    has_times: bool


def lines_of_invoice(invoice: Invoice) -> list[LineView]:
    """One query for the meters, however many lines there are."""
    lines = list(invoice.lines.all())
    meters = Meter.objects.in_bulk([line.price.meter_id for line in lines if line.price and line.price.meter_id])
    return [_issued(invoice, line, meters) for line in lines]


def lines_of_upcoming(priced: PricedInvoice) -> list[LineView]:
    return [_upcoming(priced, line, i) for i, line in enumerate(priced.lines)]


def _issued(invoice: Invoice, line: InvoiceLine, meters: Mapping[str, Meter]) -> LineView:
    if line.price and line.price.meter_id:
        line.price.meter = meters[line.price.meter_id]
    is_usage = line.meter_version_id is not None
    return _view(
        line.price,
        invoice.currency,
        breakdown=line.breakdown,
        steps=line.steps,
        id=line.pk,
        description=line.description,
        quantity=line.quantity,
        unit_amount=line.unit_amount,
        in_units=line.units is not None,
        amount=line.amount,
        tax=line.tax,
        discount=line.discount,
        tax_rate=line.tax_rate,
        zone=invoice.customer.timezone,
        events=line.events,
        events_link=reverse("console:line_events", args=[invoice.pk, line.pk]) if is_usage else "",
        period=(line.period_start, line.period_end),
    )


def _upcoming(priced: PricedInvoice, line: PricedLine, index: int) -> LineView:
    rated = line.rated
    return _view(
        line.price,
        priced.currency,
        breakdown=[row.to_json() for row in rated.breakdown],
        steps=[step.to_json() for step in rated.steps],
        id=f"{priced.subscription.pk if priced.subscription else priced.customer.pk}-{index}",
        description=line.description,
        quantity=rated.quantity,
        unit_amount=rated.unit_amount,
        in_units=rated.units is not None,
        amount=rated.amount,
        tax=line.tax,
        discount=line.discount,
        tax_rate=line.tax_rate,
        zone=priced.customer.timezone,
        events=line.events,
        events_link="",
        period=(line.period.start, line.period.end),
    )


def _view(
    price: Price | None,
    currency: str,
    *,
    breakdown: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, str]],
    unit_amount: Decimal | None,
    in_units: bool,
    amount: Decimal,
    period: tuple[datetime, datetime],
    discount: Decimal,
    tax_rate: Decimal,
    zone: str,
    **own: Any,
) -> LineView:
    kind = price.kind if price else "one_off"
    unit = unit_of(price) if price and kind in {"seat", "usage"} else "fee"
    shown = partial(amount_in_words, currency=currency, in_units=in_units)
    days = _days(*period, ZoneInfo(zone))
    return LineView(
        kind=kind,
        unit=unit if own["quantity"] == 1 else plural(unit),
        unit_amount=NOTHING if unit_amount is None else shown(unit_amount),
        amount=money(amount, currency),
        breakdown=tuple(_row(row, shown) for row in breakdown),
        steps=(
            *(step_in_words(step, unit=unit, currency=currency, in_units=in_units, days=days) for step in steps),
            *tax_in_words(amount=amount, discount=discount, tax=own["tax"], rate=tax_rate, currency=currency),
        ),
        discount=discount,
        days=days,
        period_start=period[0],
        period_end=period[1],
        has_times=kind == "usage" and any(at.astimezone(ZoneInfo(zone)).time() != time.min for at in period),
        **own,
    )


def _days(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    """How many days lie in a half-open period, those that are begun counted."""
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    return (last - first).days + 1


def _row(row: Mapping[str, Any], shown: Callable[[Decimal], str]) -> BreakdownWords:
    flat, unit_amount = Decimal(row["flat_amount"]), row["unit_amount"]
    amount = shown(Decimal(row["amount"]))
    if reason := row.get("reason"):
        return BreakdownWords(_REASONS.get(reason, reason), "", "", "", amount)
    part = f"{quantity(Decimal(row['from']))} {DASH} {quantity(Decimal(row['to']))}"
    if group := row.get("group"):
        part = ", ".join(f"{name} {value if value is not None else '(none)'}" for name, value in group.items())
    return BreakdownWords(
        part,
        quantity(Decimal(row["quantity"])),
        NOTHING if unit_amount is None else shown(Decimal(unit_amount)),
        shown(flat) if flat else "",
        amount,
    )
