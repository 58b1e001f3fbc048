"""Money on its way: what is open and how collecting it stands, what providers were asked, and what differs."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from billing.facade import get_invoice
from collection.facade import (
    CALL_STATES,
    DunningState,
    ProviderUnavailable,
    StripeAccountMissing,
    ask_to_charge,
    ask_to_reconcile,
    calls_of,
    collections_of,
    differences_of,
    get_call,
    policy_of,
    reconciliations_of,
    repeat_call,
)
from console.access import page
from console.collecting_words import DIFFERENCES, REPEATABLE
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError
from rest.access import Permission

_POST = ("POST",)


def _choice(request: Any, name: str, values: list[str]) -> str:
    value: str = request.GET.get(name, "")
    if value and value not in values:
        raise InvalidError(f"{name} is one of {', '.join(values)}", code=f"{name}_invalid")
    return value


@page()
def payments(request: Any) -> HttpResponseBase:
    """What providers were asked, newest first."""
    organization_id = request.access.organization.pk
    state = _choice(request, "state", list(CALL_STATES))
    calls = page_of(calls_of(organization_id, state=state or None), request.GET.get("cursor"), newest_first=True)
    context = {
        "calls": calls.rows,
        "next_cursor": calls.next_cursor,
        "state": state,
        "states": CALL_STATES,
        "repeatable": {one.pk for one in calls.rows if (one.kind, one.state) in REPEATABLE},
        "differences": differences_of(organization_id, is_open=True).order_by()[:100].count(),
        "policy": policy_of(organization_id),
    }
    return render(request, "console/payments.html", context)


@page()
def collections(request: Any) -> HttpResponseBase:
    """Open invoices that are collected, by their dunning state."""
    state = _choice(request, "state", DunningState.values)
    rows = collections_of(request.access.organization.pk, state=state or None)
    found = page_of(rows, request.GET.get("cursor"), newest_first=True)
    context = {
        "collections": found.rows,
        "next_cursor": found.next_cursor,
        "state": state,
        "states": DunningState.values,
        "policy": policy_of(request.access.organization.pk),
    }
    return render(request, "console/collections.html", context)


@page()
def differences(request: Any) -> HttpResponseBase:
    """What our books and the provider's say differently, and what to do about it."""
    organization_id = request.access.organization.pk
    shown = _choice(request, "show", ["open", "resolved"]) or "open"
    rows = differences_of(organization_id, is_open=shown == "open")
    found = page_of(rows, request.GET.get("cursor"), newest_first=True)
    context = {
        "rows": [(one, DIFFERENCES.get(one.kind)) for one in found.rows],
        "next_cursor": found.next_cursor,
        "show": shown,
        "latest": reconciliations_of(organization_id).first(),
    }
    return render(request, "console/differences.html", context)


@page(may=Permission.MOVE_MONEY, methods=_POST)
def compare(request: Any) -> HttpResponseBase:
    try:
        ask_to_reconcile(organization_id=request.access.organization.pk)
        messages.success(request, "The books are being compared. Look again in a minute.")
    except StripeAccountMissing:
        messages.error(request, "There is no payment provider to compare with. Connect one first.")
    return redirect("console:differences")


@page(may=Permission.MOVE_MONEY, methods=_POST, confirmed=True)
def repeat(request: Any, call: str) -> HttpResponseBase:
    found = get_call(organization_id=request.access.organization.pk, call=call)
    try:
        repeat_call(call=found, now=system_clock(), actor=request.user.email)
        messages.success(request, f"The {found.kind} goes on.")
    except (ConflictError, ProviderUnavailable) as error:
        messages.error(request, error.detail)
    return redirect("console:payments")


@page(may=Permission.MOVE_MONEY, methods=_POST)
def charge(request: Any, invoice: str) -> HttpResponseBase:
    """Charge what is due of an invoice now; asked for twice it is charged once."""
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    try:
        ask_to_charge(invoice=found, now=system_clock(), actor=request.user.email)
        messages.success(request, "The charge is ordered and made within seconds.")
    except (ConflictError, InvalidError) as error:
        messages.error(request, error.detail)
    return redirect(reverse("console:invoice", args=[found.pk]))
