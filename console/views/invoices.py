from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from billing.contracts import review_draft
from billing.facade import (
    SETTLED,
    Change,
    Invoice,
    clock_of,
    credit_notes_of,
    events_behind,
    get_invoice,
    get_line,
    payments_of,
    transactions_of,
    unbilled_changes,
    unprintable_of_customer,
    version_at,
)
from console.access import page
from console.queries.invoices import STATUSES, invoice_totals, invoiced_months, is_overdue, list_invoices, read_filter
from console.queries.lines import lines_of_invoice
from console.queries.pages import PAGE
from kernel.clock import system_clock
from kernel.errors import TaximeterError
from rest.access import Permission


@page()
def invoices(request: Any) -> HttpResponseBase:
    organization_id, now = request.access.organization.pk, system_clock()
    filters = read_filter(request.GET, now=now)
    found = list_invoices(organization_id=organization_id, filters=filters, cursor=request.GET.get("cursor"))
    context = {
        "filters": filters,
        "rows": [(one, is_overdue(one, now)) for one in found.rows],
        "next_cursor": found.next_cursor,
        "totals": invoice_totals(organization_id=organization_id, filters=filters),
        "months": invoiced_months(organization_id),
        "statuses": STATUSES,
    }
    return render(request, "console/invoices.html", context)


@page()
def invoice(request: Any, invoice: str) -> HttpResponseBase:
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    is_open = found.status in {"finalized", "uncollectible"}
    may_settle = is_open and request.access.may_move_money
    payments = list(payments_of(found.organization_id, invoice_id=found.pk))
    credit_notes = list(credit_notes_of(found.organization_id, invoice_id=found.pk))
    lines = lines_of_invoice(found)
    context = {
        "invoice": found,
        "lines": lines,
        "unprintable": unprintable_of_customer(found.customer, *(one.description for one in lines)),
        "is_overdue": is_overdue(found, system_clock()),
        "payments": payments,
        "refundable": {one.pk for one in payments if one.amount > 0} if request.access.may_move_money else set(),
        "credit_notes": credit_notes,
        "postings": _postings(found),
        "version": version_at(found.subscription, found.period_start) if found.subscription else None,
        "late_usage": _late_usage(found),
        "may_finalize": found.status == "draft" and request.access.may_move_money,
        "may_pay": may_settle and found.amount_due > 0,
        "may_write_off": may_settle and found.status == "finalized" and found.amount_due > 0,
        "may_credit": found.status in {"finalized", "paid", "uncollectible"} and request.access.may_move_money,
        "may_void": may_settle and not sum(one.amount for one in payments) and not credit_notes,
    }
    return render(request, "console/invoice.html", context)


def _postings(found: Invoice) -> list[Any]:
    """What the books say of it."""
    rows = transactions_of(found.organization_id, customer_id=found.customer_id)
    return list(rows.filter(invoice=found)[:PAGE])


def _late_usage(found: Invoice) -> list[Change]:
    """What is not billed of the invoice's usage today."""
    if found.status not in SETTLED or not any(line.meter_version_id for line in found.lines.all()):
        return []
    return [
        one for one in unbilled_changes(found.organization_id, [found]) if one.quantity or one.amount or one.problem
    ]


@page(may=Permission.MOVE_MONEY)
def review(request: Any, invoice: str) -> HttpResponseBase:
    """What pricing a draft anew would change: a part of its page for htmx, else a page of its own."""
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    context: dict[str, Any] = {"invoice": found}
    try:
        context["review"] = review_draft(invoice=found, now=clock_of(found.customer)())
    except TaximeterError as error:
        context["refused"] = error
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_review.html" if partial else "console/review.html", context)


@page()
def line_events(request: Any, invoice: str, line: str) -> HttpResponseBase:
    """The usage events behind a line: rows for a page that asks by htmx, else a page of their own."""
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    of_line = get_line(invoice=found, line=line)
    cursor = request.GET.get("cursor")
    events, following = events_behind(invoice=found, line=of_line, limit=PAGE, cursor=cursor)
    context = {"invoice": found, "line": of_line, "events": events, "next_cursor": following, "is_first": not cursor}
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_line_events.html" if partial else "console/line_events.html", context)
