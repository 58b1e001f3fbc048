"""What a customer sees of itself. Nothing here says what anything cost the vendor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.urls import reverse

from agents.facade import TaskTrace, task_trace
from billing.facade import Customer, Invoice, OpenPeriod, PricedInvoice, get_invoice, open_periods
from console.charts import Chart
from console.portal.access import Portal
from console.queries import figure_charts
from console.queries.figures import Figures
from console.queries.lines import LineView, lines_of_invoice, lines_of_upcoming
from console.selection import read_selection
from console.wording import plural, unit_of
from kernel.errors import NotFoundError

#: Invoices that customers were sent; a draft may still change, and a skipped one was never sent.
SENT = ("finalized", "paid", "uncollectible", "void")
OPEN = ("finalized", "uncollectible")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Included:
    """How much of a price's included units is used."""

    name: str
    unit: str
    used: Decimal
    included: Decimal

    @property
    def shown(self) -> Decimal:
        return min(self.used, self.included)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A billing period that is open: its invoice and its spend so far, and its spend by its end if usage goes on as it
    did.

    `foreseen` is None where that cannot be priced.
    """

    priced: PricedInvoice
    lines: list[LineView]
    spend: Decimal
    foreseen: Decimal | None
    included: tuple[Included, ...]
    share: int


def upcoming_of(portal: Portal) -> tuple[list[Upcoming], bool]:
    """Each open period of the customer, and whether one of them cannot be priced at present."""
    so_far = open_periods(customer=portal.customer, now=portal.now)
    foreseen = open_periods(customer=portal.customer, now=portal.now, foreseen=True)
    by_the_end = {one.upcoming.subscription: one.spend for one in foreseen if isinstance(one, OpenPeriod)}
    found = [
        Upcoming(
            one.upcoming,
            lines_of_upcoming(one.upcoming),
            one.spend,
            by_the_end.get(one.upcoming.subscription),
            tuple(_included(one.upcoming)),
            _share(one.upcoming, portal.now),
        )
        for one in so_far
        if isinstance(one, OpenPeriod)
    ]
    return found, len(found) < len(so_far)


def _share(priced: PricedInvoice, now: datetime) -> int:
    """How much of the period is over, in percent."""
    whole = priced.period.end - priced.period.start
    over = min(max(now - priced.period.start, whole * 0), whole)
    return int(over * 100 / whole)


def _included(priced: PricedInvoice) -> Iterator[Included]:
    for line in priced.lines:
        price = line.price
        if price and price.kind == "usage" and price.included:
            yield Included(price.name, plural(unit_of(price)), line.rated.quantity, price.included)


def usage_chart(
    portal: Portal, upcoming: list[Upcoming], meter: str | None
) -> tuple[Chart | None, list[tuple[str, str]]]:
    """Usage by day of the open period, of a meter that the customer is charged by, and those to choose from."""
    charged = {
        line.price.meter.key: line.price.meter.name
        for one in upcoming
        for line in one.priced.lines
        if line.price and line.price.meter
    }
    if not charged:
        return None, []
    wanted = meter if meter in charged else next(iter(charged))
    zone = ZoneInfo(portal.customer.timezone)
    start = min(one.priced.period.start for one in upcoming).astimezone(zone).date()
    parameters = {
        "from": start.isoformat(),
        "to": max(portal.now.astimezone(zone).date(), start).isoformat(),
        "customer": portal.customer.key,
        "meter": wanted,
    }
    selection = read_selection(parameters, now=portal.now, zone=zone)
    figures = Figures(organization=portal.organization, selection=selection, now=portal.now)
    return figure_charts.usage_by_window(figures), list(charged.items())


def sent_invoices(customer: Customer) -> list[Invoice]:
    """The invoices that the customer was sent, newest first; at most 200."""
    rows = Invoice.objects.filter(customer=customer, status__in=SENT).order_by("-month", "-number", "-pk")
    return list(rows[:200])


def open_amount(invoices: list[Invoice]) -> Decimal:
    return sum((one.amount_due for one in invoices if one.status in OPEN), _ZERO)


def own_invoice(portal: Portal, invoice: str) -> Invoice:
    """An invoice that this customer was sent; `NotFoundError` for any other, whosever it is."""
    found = get_invoice(organization_id=portal.organization.pk, invoice=invoice)
    if found.customer_id != portal.customer.pk or found.status not in SENT:
        raise NotFoundError(f"There is no invoice {invoice!r}", code="invoice_not_found")
    return found


def own_lines(invoice: Invoice) -> list[LineView]:
    return [
        replace(line, events_link=reverse("portal:line_events", args=[invoice.pk, line.id]))
        if line.events_link
        else line
        for line in lines_of_invoice(invoice)
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a task as its customer sees it; tokens only of calls of models."""

    depth: int
    kind: str
    label: str
    time: datetime
    duration_ms: int | None
    error: str
    input_tokens: Decimal | None
    output_tokens: Decimal | None


def own_task(portal: Portal, task_id: str) -> tuple[TaskTrace, list[Step]]:
    """A task of this customer, and its steps: events of others that name the same task are not among them."""
    trace = task_trace(organization_id=portal.organization.pk, task_id=task_id)
    if trace.task.totals.customer != portal.customer.key:
        raise NotFoundError(f"There is no task {task_id!r}", code="task_not_found")
    return trace, list(_steps(trace, portal.customer.key))


def _steps(trace: TaskTrace, customer: str) -> Iterator[Step]:
    for depth, node in trace.rows():
        if node.event is not None and node.event.customer != customer:
            continue
        is_call = node.kind == "inference_call"
        error = node.data.get("error") if node.event else None
        yield Step(
            depth,
            node.kind,
            node.label,
            node.time,
            node.duration_ms,
            error if isinstance(error, str) else "",
            node.input_tokens if is_call else None,
            node.output_tokens if is_call else None,
        )
