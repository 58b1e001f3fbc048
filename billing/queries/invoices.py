from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet

from billing.models import BillingRun, Invoice, InvoiceLine
from kernel.errors import NotFoundError
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
    return LineQuestion(
        meter_version_id=line.meter_version_id,
        customer=invoice.customer.key,
        period=Period(line.period_start, line.period_end),
        where=line.price.filter,
        snapshot=invoice.log_snapshot,
    )


def runs_of(organization_id: int) -> QuerySet[BillingRun]:
    """The organization's billing runs."""
    return BillingRun.objects.filter(organization_id=organization_id).order_by("id")
