"""Invoices, their events, upcoming invoices and the spend of open periods."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from billing.invoicing.bills import Bill, BillKey, open_bill, paid_in_advance_by, without_invoice
from billing.invoicing.models import InvoiceKind, InvoiceStatus, LineRole
from billing.invoicing.priced import PricedInvoice, Unpriceable
from billing.invoicing.pricing import price_bills
from billing.models import BillingRun, Customer, Invoice, InvoiceLine, Subscription
from billing.subscriptions.models import UsageMode
from billing.subscriptions.queries import subscriptions_of
from billing.test_clocks.queries import clock_of
from kernel.errors import NotFoundError, TaximeterError
from kernel.period import Month, Period
from metering.facade import EventView, LineQuestion, line_events
from rest.lookup import find


def invoices_of(
    organization_id: int, *, month: Month | None = None, customer: str | None = None, status: str | None = None
) -> QuerySet[Invoice]:
    """Invoices with their customers and lines, in the order of their ids; `customer` is a key."""
    filters: Mapping[str, object] = {
        name: value
        for name, value in {
            "month": str(month) if month else None,
            "customer__key": customer,
            "status": status,
        }.items()
        if value is not None
    }
    return (
        Invoice.objects.filter(organization_id=organization_id, **filters)
        .select_related("customer", "subscription__plan_version__plan")
        .prefetch_related("lines__price")
        .order_by("id")
    )


def get_invoice(*, organization_id: int, invoice: str) -> Invoice:
    """The invoice with this id; `NotFoundError` with code `invoice_not_found`."""
    return find(invoices_of(organization_id), invoice, what="invoice")


def get_line(*, invoice: Invoice, line: str) -> InvoiceLine:
    """The line of `invoice` with this id; `NotFoundError` with code `invoice_line_not_found`."""
    found = next((one for one in invoice.lines.all() if one.pk == line), None)
    if found is None:
        raise NotFoundError(f"This invoice has no line {line!r}", code="invoice_line_not_found")
    return found


def events_behind(
    *, invoice: Invoice, line: InvoiceLine, limit: int, cursor: str | None = None
) -> tuple[list[EventView], str | None]:
    """The usage events that a line counted, oldest first, and a cursor to those that follow.

    Fixed and seat lines have none.
    """
    if line.meter_version_id is None:
        return [], None
    return line_events(line_question(invoice=invoice, line=line), limit=limit, cursor=cursor)


def line_question(*, invoice: Invoice, line: InvoiceLine) -> LineQuestion:
    """What a usage line asked the log when it was priced."""
    assert line.meter_version_id is not None, "only usage lines ask the log"
    assert line.price is not None, "usage lines have a price"
    subscription = invoice.subscription
    return LineQuestion(
        meter_version_id=line.meter_version_id,
        customer=invoice.customer.key,
        period=Period(line.period_start, line.period_end),
        where=line.price.filter,
        snapshot=invoice.log_snapshot,
        names=subscription.names if subscription else None,
        unnamed=subscription is not None and subscription.usage == UsageMode.ANY,
    )


def runs_of(organization_id: int) -> QuerySet[BillingRun]:
    """The organization's billing runs."""
    return BillingRun.objects.filter(organization_id=organization_id).order_by("id")


_ZERO = Decimal(0)
#: The day on which a subscription ends still counts, in any zone.
_A_WHILE = timedelta(days=3)
#: Lines of the bill that ends a period and of threshold invoices within it that are for the period itself. What was
#: invoiced before is taken off there, and counts as the line of the invoice that has it.
_OF_THE_PERIOD = frozenset({LineRole.CHARGE, LineRole.SETTLEMENT, LineRole.BILLED_BEFORE})
#: Lines of other invoices for a period that is paid in advance; what those settle is of the period before.
_IN_ADVANCE = frozenset({LineRole.CHARGE})


@dataclass(frozen=True, slots=True)
class OpenSpend:
    """Spend of a subscription's open period, before tax and credit and net of credit notes; in `currency`."""

    subscription: Subscription
    period: Period
    currency: str
    amount: Decimal


def open_spend(
    *, organization_id: int, customers: Collection[str] | None, now: datetime, foreseen: bool = False
) -> tuple[list[OpenSpend], Mapping[str, TaximeterError]]:
    """By subscription, of the customers with these ids or of all; and of those customers that cannot be priced, why.

    `now` is the machine's; customers on a test clock have that one's. With `foreseen`, usage goes on to the
    period's end as it did up to `now`.
    """
    found = subscriptions_of(organization_id).filter(
        Q(ends_at=None) | Q(ends_at__gte=now - _A_WHILE) | ~Q(customer__test_clock=None)
    )
    if customers is not None:
        found = found.filter(customer__in=customers)
    at = {one.pk: clock_of(one.customer)() if one.customer.test_clock_id else now for one in found}
    bills = [bill for one in found if (bill := open_bill(one, at[one.pk])) is not None]
    asked = _asked(bills)
    answers = price_bills([one for _, one in asked], foreseen_at=now if foreseen else None)
    failed = {
        bill.customer.pk: one.error
        for (bill, _), one in zip(asked, answers, strict=True)
        if isinstance(one, Unpriceable)
    }
    amounts = _amounts(asked, answers)
    spend = [
        OpenSpend(bill.subscription, bill.arrears or bill.in_force, bill.currency, amounts[bill.key])
        for bill in bills
        if bill.key in amounts and bill.customer.pk not in failed
    ]
    return spend, failed


@dataclass(frozen=True, slots=True)
class OpenPeriod:
    """The invoice of a subscription's open period so far, and the period's spend as in `OpenSpend`."""

    upcoming: PricedInvoice
    spend: Decimal


def open_periods(*, customer: Customer, now: datetime, foreseen: bool = False) -> list[OpenPeriod | Unpriceable]:
    """The billing periods that are open at `now`, the customer's time, by subscription; each is priced once.

    The same function as issues the invoices; fees are those of the whole period, and those in advance
    for the next one are among them. With `foreseen`, usage goes on to the period's end as it did up to `now`.
    """
    subscriptions = subscriptions_of(customer.organization_id).filter(customer=customer)
    asked = _asked([bill for one in subscriptions if (bill := open_bill(one, now)) is not None])
    answers = price_bills([one for _, one in asked], foreseen_at=now if foreseen else None)
    amounts = _amounts(asked, answers)
    found: dict[BillKey, OpenPeriod | Unpriceable] = {}
    for (bill, _), answer in zip(asked, answers, strict=True):
        if isinstance(answer, Unpriceable):
            found[bill.key] = answer
        elif bill.key in amounts:
            found[bill.key] = OpenPeriod(answer, amounts[bill.key])
    return list(found.values())


def upcoming_invoices(
    *, customer: Customer, now: datetime, foreseen: bool = False
) -> list[PricedInvoice | Unpriceable]:
    """The invoices of `open_periods`."""
    found = open_periods(customer=customer, now=now, foreseen=foreseen)
    return [one.upcoming if isinstance(one, OpenPeriod) else one for one in found]


def _asked(bills: Sequence[Bill]) -> list[tuple[Bill, Bill]]:
    """Bills to price for the open ones, each with the open bill that it is for: this one, and before it the one that it
    may settle, where that is not issued yet."""
    before = {bill.key: paid for bill in bills if (paid := paid_in_advance_by(bill)) is not None}
    still = {bill.key for bill in without_invoice([*bills, *before.values()])}
    return [
        (bill, one)
        for bill in bills
        if bill.key in still
        for one in (before.get(bill.key), bill)
        if one is not None and one.key in still
    ]


def _amounts(
    asked: Sequence[tuple[Bill, Bill]], answers: Sequence[PricedInvoice | Unpriceable]
) -> dict[BillKey, Decimal]:
    """Spend of the periods of open bills; those of which a bill cannot be priced are left out."""
    amounts = _invoiced([bill for bill, one in asked if one is bill])
    for (bill, one), priced in zip(asked, answers, strict=True):
        if isinstance(priced, Unpriceable):
            amounts.pop(bill.key, None)
        elif bill.key in amounts:
            amounts[bill.key] += _amount(priced, bill, _OF_THE_PERIOD if one is bill else _IN_ADVANCE)
    return amounts


def _amount(priced: PricedInvoice, bill: Bill, roles: Collection[LineRole]) -> Decimal:
    lines = (one for one in priced.lines if one.role in roles and one.period.start in bill.in_force)
    return sum((line.net for line in lines), _ZERO)


def _invoiced(bills: Sequence[Bill]) -> dict[BillKey, Decimal]:
    """What invoices before each bill charged for its period, after discounts, less credit notes; drafts among them."""
    found = {bill.key: _ZERO for bill in bills}
    by_subscription = {bill.subscription.pk: bill for bill in bills}
    if not bills:
        return found
    rows = (
        InvoiceLine.objects.filter(
            invoice__in=Invoice.objects.filter(subscription__in=by_subscription).exclude(status=InvoiceStatus.VOID),
            period_start__gte=min(bill.in_force.start for bill in bills),
        )
        .annotate(given_back=Sum("credited_by__amount"))
        .order_by()
        .values_list(
            "invoice__subscription", "invoice__kind", "role", "period_start", "amount", "discount", "given_back"
        )
    )
    for subscription, kind, role, start, amount, discount, given_back in rows:
        bill = by_subscription[subscription]
        roles = _OF_THE_PERIOD if kind == InvoiceKind.THRESHOLD else _IN_ADVANCE
        if role in roles and start in bill.in_force:
            found[bill.key] += amount - discount - (given_back or _ZERO)
    return found
