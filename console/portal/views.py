"""The portal's pages."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from accounts.facade import api_keys_of, create_api_key, get_api_key, revoke_api_key
from agents.facade import Charge, TaskQuestion, charges_of, list_tasks, projected_to, transactions_of
from billing.facade import (
    credit_notes_of,
    events_behind,
    get_line,
    invoice_pdf,
    payment_link,
    payments_of,
    update_customer,
)
from budgets.facade import budget_state, budgets_of, create_budget, get_budget, remove_budget
from console.formats import money
from console.portal.access import portal_page
from console.portal.queries import (
    OPEN,
    open_amount,
    own_invoice,
    own_lines,
    own_task,
    sent_invoices,
    upcoming_of,
    usage_chart,
)
from console.queries.pages import PAGE
from console.reader import number_typed
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError, TaximeterError
from kernel.ids import new_id
from kernel.money import decimal_from
from kernel.text import file_name
from notifications.facade import is_address

_ALERTS = "portal-"
#: Each part of an address: what it is called, and what browsers fill in there (HTML, autofill detail tokens).
_ADDRESS = {
    "line1": ("Street and number", "address-line1"),
    "line2": ("Address, second line", "address-line2"),
    "postal_code": ("Postal code", "postal-code"),
    "city": ("City", "address-level2"),
    "region": ("State or region", "address-level1"),
    "country": ("Country, in two letters such as DE", "country"),
}


@portal_page()
def overview(request: Any) -> HttpResponseBase:
    """What the open period comes to so far, by its end, and usage by day."""
    portal = request.portal
    upcoming, is_unclear = upcoming_of(portal)
    chart, meters = usage_chart(portal, upcoming, request.GET.get("meter"))
    invoices = sent_invoices(portal.customer)
    context = {
        "upcoming": upcoming,
        "is_unclear": is_unclear,
        "chart": chart,
        "meters": meters,
        "meter": request.GET.get("meter", ""),
        "latest": invoices[:5],
        "due": open_amount(invoices),
    }
    return render(request, "portal/overview.html", context)


@portal_page()
def invoices(request: Any) -> HttpResponseBase:
    found = sent_invoices(request.portal.customer)
    context = {"invoices": found, "due": open_amount(found), "now": request.portal.now, "open": OPEN}
    return render(request, "portal/invoices.html", context)


@portal_page()
def invoice(request: Any, invoice: str) -> HttpResponseBase:
    found = own_invoice(request.portal, invoice)
    seller = request.portal.seller
    link = payment_link(seller, found)
    context = {
        "invoice": found,
        "lines": own_lines(found),
        "payments": list(payments_of(found.organization_id, invoice_id=found.pk)),
        "credit_notes": list(credit_notes_of(found.organization_id, invoice_id=found.pk)),
        "is_open": found.status in OPEN and found.amount_due > 0,
        "is_overdue": found.status in OPEN and found.due_at is not None and found.due_at < request.portal.now,
        "payment_link": link,
    }
    return render(request, "portal/invoice.html", context)


@portal_page()
def pdf(request: Any, invoice: str) -> HttpResponseBase:
    found = own_invoice(request.portal, invoice)
    name = f"{found.number or found.pk}.pdf"
    return HttpResponse(
        invoice_pdf(found),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{file_name(name)}"'},
    )


@portal_page()
def line_events(request: Any, invoice: str, line: str) -> HttpResponseBase:
    """The events behind a line, without what the vendor keeps beside them."""
    found = own_invoice(request.portal, invoice)
    of_line = get_line(invoice=found, line=line)
    cursor = request.GET.get("cursor")
    events, following = events_behind(invoice=found, line=of_line, limit=PAGE, cursor=cursor)
    context = {"invoice": found, "line": of_line, "events": events, "next_cursor": following, "is_first": not cursor}
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "portal/_line_events.html" if partial else "portal/line_events.html", context)


@portal_page()
def tasks(request: Any) -> HttpResponseBase:
    """What agents did for this customer, and what it is charged by the unit."""
    organization_id = request.portal.organization.pk
    question = TaskQuestion(organization_id=organization_id, customer=request.portal.customer.key)
    found, following = list_tasks(question, limit=PAGE, cursor=request.GET.get("cursor"))
    charges = charges_of(
        found, organization_id=organization_id, transactions=transactions_of(found), since=projected_to(organization_id)
    )
    rows = [{"totals": one.totals, "charge": _by_the_unit(charges.get(one.task_id))} for one in found]
    context = {"tasks": rows, "next_cursor": following}
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "portal/_task_rows.html" if partial else "portal/tasks.html", context)


@portal_page()
def task(request: Any) -> HttpResponseBase:
    """One task, named by `?id=`."""
    task_id = request.GET.get("id", "")
    if not task_id:
        raise Http404("No task is named")
    trace, steps = own_task(request.portal, task_id)
    charges = charges_of(
        [trace.task],
        organization_id=request.portal.organization.pk,
        transactions=trace.transactions,
        since=trace.since,
    )
    context = {
        "totals": trace.task.totals,
        "ended": trace.end is not None,
        "steps": steps,
        "charge": _by_the_unit(charges.get(task_id)),
    }
    return render(request, "portal/task.html", context)


def _by_the_unit(charge: Charge | None) -> Charge | None:
    """What a task is charged; None where all is charged by the period, which is not nothing."""
    return None if charge is None or (charge.left_out and not charge.lines) else charge


@portal_page(methods=("GET", "HEAD", "POST"))
def budgets(request: Any) -> HttpResponseBase:
    """Alerts about the open period: those that this customer set, and those that were set for it."""
    portal = request.portal
    if request.method == "POST" and _add_alert(request):
        return redirect("portal:budgets")
    found = budgets_of(portal.organization.pk).filter(customer=portal.customer, scope="customer")
    rows = [
        {"budget": one, "state": budget_state(one, now=system_clock()), "is_own": one.key.startswith(_ALERTS)}
        for one in found.exclude(measure="cost")[:50]
    ]
    refused = request.method == "POST"
    context = {"budgets": rows, "amount": request.POST.get("amount", "")[:20]}
    return render(request, "portal/budgets.html", context, status=422 if refused else 200)


def _add_alert(request: Any) -> bool:
    """Whether it was set. What is wrong is said on the page that follows."""
    portal = request.portal
    own = budgets_of(portal.organization.pk).filter(customer=portal.customer, key__startswith=_ALERTS)
    try:
        if own.count() >= 10:
            raise InvalidError("There are ten alerts already", code="too_many_budgets")
        if not is_address(portal.customer.email):
            raise InvalidError("Say first, under your details, which address mail goes to", code="email_missing")
        try:
            amount = decimal_from(number_typed(request.POST.get("amount", "")))
        except ValueError:
            raise InvalidError("Write an amount such as 250.00", code="amount_invalid") from None
        if not 0 < amount < 10**12:
            raise InvalidError("Write an amount above zero", code="amount_invalid")
        create_budget(
            organization=portal.organization,
            key=new_id("portal").replace("_", "-", 1),
            name=f"Alert at {money(amount, portal.customer.currency)}",
            scope="customer",
            customer=portal.customer.key,
            measure={"money": "spend"},
            amount=amount,
            period="billing_period",
            thresholds=[{"percent": "100", "actions": ["mail"], "recipients": [portal.customer.email]}],
        )
    except InvalidError as error:
        messages.error(request, error.detail)
        return False
    messages.success(request, "The alert is set.")
    return True


@portal_page(methods=("POST",))
def remove_alert(request: Any, budget: str) -> HttpResponseBase:
    portal = request.portal
    found = get_budget(organization_id=portal.organization.pk, budget=budget)
    if found.customer_id != portal.customer.pk or not found.key.startswith(_ALERTS):
        raise NotFoundError("There is no such alert", code="budget_not_found")
    remove_budget(budget=found, now=system_clock())
    messages.success(request, "The alert is removed.")
    return redirect("portal:budgets")


@portal_page(methods=("GET", "HEAD", "POST"))
def keys(request: Any) -> HttpResponseBase:
    """Keys by which this customer's agents send events; the secret is shown once."""
    portal, secret = request.portal, ""
    if request.method == "POST":
        try:
            _, secret = create_api_key(
                organization=portal.organization,
                scopes=["ingest"],
                name=request.POST.get("name", "").strip(),
                customer=portal.customer.key,
            )
        except TaximeterError as error:
            messages.error(request, error.detail)
            return redirect("portal:keys")
    found = api_keys_of(portal.organization.pk, customer=portal.customer.key).filter(revoked_at=None)
    return render(request, "portal/keys.html", {"keys": list(found.order_by("-id")), "secret": secret})


@portal_page(methods=("POST",))
def revoke_key(request: Any, api_key: str) -> HttpResponseBase:
    portal = request.portal
    found = get_api_key(organization_id=portal.organization.pk, api_key=api_key, customer=portal.customer.key)
    revoke_api_key(key=found, at=system_clock())
    messages.success(request, "The key opens nothing any more.")
    return redirect("portal:keys")


@portal_page(methods=("GET", "HEAD", "POST"))
def details(request: Any) -> HttpResponseBase:
    """The address on invoices, and where mail goes."""
    customer = request.portal.customer
    email, address, refused = customer.email, customer.address or {}, ""
    if request.method == "POST":
        email = request.POST.get("email", "").strip()[:254]
        address = {name: request.POST.get(name, "").strip()[:200] for name in _ADDRESS}
        refused = "" if is_address(email) else "This is not an e-mail address."
    if request.method == "POST" and not refused:
        rest = {name: value for name, value in (customer.address or {}).items() if name not in _ADDRESS}
        new = {**rest, **{name: value for name, value in address.items() if value}}
        update_customer(customer=customer, now=request.portal.now, email=email, address=new)
        messages.success(request, "Saved. It counts for invoices from now on.")
        return redirect("portal:details")
    fields = [(name, *words, address.get(name, "")) for name, words in _ADDRESS.items()]
    context = {"fields": fields, "email": email, "refused": refused}
    return render(request, "portal/details.html", context, status=422 if refused else 200)
