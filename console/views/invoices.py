from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from billing.facade import (
    SETTLED,
    Change,
    Invoice,
    clock_of,
    credit_notes_of,
    events_behind,
    finalize_invoice,
    get_invoice,
    get_line,
    pay_invoice,
    payments_of,
    refresh_draft,
    unbilled_changes,
    version_at,
    void_invoice,
)
from console.access import MONEY_ROLES, page
from console.queries.directory import customers_by_key
from console.queries.invoices import STATUSES, InvoiceFilter, invoice_totals, invoiced_months, list_invoices
from console.queries.lines import lines_of_invoice
from console.queries.pages import PAGE
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.period import Month


def read_month(text: str) -> Month:
    """A month such as 2026-10; `InvalidError` otherwise."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise InvalidError(str(error), code="month_invalid") from None


@page()
def invoices(request: Any) -> HttpResponseBase:
    organization_id, asked = request.access.organization.pk, request.GET
    status = asked.get("status") or None
    if status and status not in STATUSES:
        raise InvalidError(f"status is one of {', '.join(STATUSES)}", code="status_invalid")
    month = asked.get("month")
    filters = InvoiceFilter(read_month(month) if month else None, status, asked.get("customer") or None)
    found = list_invoices(organization_id=organization_id, filters=filters, cursor=asked.get("cursor"))
    context = {
        "filters": filters,
        "invoices": found.rows,
        "next_cursor": found.next_cursor,
        "totals": invoice_totals(organization_id=organization_id, filters=filters),
        "months": invoiced_months(organization_id),
        "statuses": STATUSES,
        "customer_choices": [(key, one.name) for key, one in customers_by_key(organization_id).items()],
    }
    return render(request, "console/invoices.html", context)


@page()
def invoice(request: Any, invoice: str) -> HttpResponseBase:
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    is_open = found.status in {"finalized", "uncollectible"}
    may_settle = is_open and request.access.may_move_money
    payments = list(payments_of(found.organization_id, invoice_id=found.pk))
    credit_notes = list(credit_notes_of(found.organization_id, invoice_id=found.pk))
    context = {
        "invoice": found,
        "lines": lines_of_invoice(found),
        "is_overdue": is_open and found.due_at is not None and found.due_at < system_clock(),
        "payments": payments,
        "credit_notes": credit_notes,
        "version": version_at(found.subscription, found.period_start) if found.subscription else None,
        "late_usage": _late_usage(found),
        "may_finalize": found.status == "draft" and request.access.may_move_money,
        "may_settle": may_settle,
        "may_void": may_settle and not sum(one.amount for one in payments) and not credit_notes,
    }
    return render(request, "console/invoice.html", context)


def _late_usage(found: Invoice) -> list[Change]:
    """What is not billed of the invoice's usage today."""
    if found.status not in SETTLED or not any(line.meter_version_id for line in found.lines.all()):
        return []
    return [one for one in unbilled_changes(found.organization_id, [found]) if one.quantity or one.amount]


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


@page(roles=MONEY_ROLES, methods=("POST",))
def finalize(request: Any, invoice: str) -> HttpResponseBase:
    service = partial(finalize_invoice, actor=request.user.email)
    return _work_on_draft(request, invoice, service, done="is final")


@page(roles=MONEY_ROLES, methods=("POST",))
def refresh(request: Any, invoice: str) -> HttpResponseBase:
    return _work_on_draft(request, invoice, refresh_draft, done="is priced anew")


def _work_on_draft(request: Any, reference: str, service: Callable[..., Invoice], *, done: str) -> HttpResponseBase:
    found = get_invoice(organization_id=request.access.organization.pk, invoice=reference)
    changed = service(invoice=found, now=clock_of(found.customer)())
    messages.success(request, f"{changed.number or 'The draft'} {done}.")
    return redirect("console:invoice", found.pk)


@page(roles=MONEY_ROLES, methods=("POST",))
def pay(request: Any, invoice: str) -> HttpResponseBase:
    return _settle(request, invoice, pay_invoice, done="is marked as paid")


@page(roles=MONEY_ROLES, methods=("POST",))
def void(request: Any, invoice: str) -> HttpResponseBase:
    return _settle(request, invoice, void_invoice, done="is void")


def _settle(request: Any, reference: str, service: Callable[..., Invoice], *, done: str) -> HttpResponseBase:
    found = get_invoice(organization_id=request.access.organization.pk, invoice=reference)
    service(invoice=found, now=clock_of(found.customer)(), actor=request.user.email)
    messages.success(request, f"{found.number} {done}.")
    return redirect("console:invoice", found.pk)
