"""How a customer pays, and lifting a suspension."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from billing.facade import Customer, clock_of, get_customer
from collection.facade import (
    ProviderName,
    change_customer,
    collections_of,
    is_suspended,
    paying_customer,
    payment_setup_page,
    policy_of,
    reinstate_customer,
)
from console.access import page
from console.forms import Action, Done, PlainForm, form_page, posted
from kernel.clock import system_clock
from kernel.errors import ConflictError, NotFoundError, UnavailableError
from rest.access import Permission

_BOTH, _POST = ("GET", "HEAD", "POST"), ("POST",)


class PayingForm(PlainForm):
    provider = forms.ChoiceField(
        choices=[("", "as the organization says"), (ProviderName.STRIPE, "Stripe"), (ProviderName.MANUAL, "transfer")],
        required=False,
        label="Pays by",
    )
    is_invoiced_at_stripe = forms.BooleanField(
        required=False,
        label="Stripe invoices this customer",
        help_text="Its usage is pushed to Stripe's meters, and our invoices are not charged.",
    )


def _found(request: Any, customer: str) -> Customer:
    return get_customer(organization_id=request.access.organization.pk, customer=customer)


@page()
def paying(request: Any, customer: str) -> HttpResponseBase:
    found = _found(request, customer)
    context = {
        "customer": found,
        "paying": paying_customer(found),
        "policy": policy_of(found.organization_id),
        "is_suspended": is_suspended(found),
        "collections": list(collections_of(found.organization_id, customer_id=found.pk)[:50]),
        "setup_url": request.session.pop(_link_of(found), ""),
    }
    return render(request, "console/paying.html", context)


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def change_paying(request: Any, customer: str) -> HttpResponseBase:
    found = _found(request, customer)
    now = paying_customer(found)

    def work(fields: dict[str, Any]) -> Done:
        change_customer(customer=found, actor=request.user.email, **fields)
        return Done(_address(found), "How this customer pays is changed.")

    initial = {"provider": now.provider, "is_invoiced_at_stripe": now.is_invoiced_at_stripe}
    crumbs = ((reverse("console:customers"), "Customers"), (_address(found), found.name or found.key))
    return form_page(request, PayingForm(posted(request), initial=initial), Action("Paying", "Save", work, crumbs))


@page(may=Permission.MOVE_MONEY, methods=_POST)
def ask_for_card(request: Any, customer: str) -> HttpResponseBase:
    """A page of Stripe's on which the customer gives a card; the link is shown once, to be sent on."""
    found = _found(request, customer)
    try:
        request.session[_link_of(found)] = payment_setup_page(customer=found, now=system_clock())
    except (UnavailableError, NotFoundError, ConflictError) as error:
        messages.error(request, error.detail)
    return redirect(_address(found))


@page(may=Permission.MOVE_MONEY, methods=_POST)
def reinstate(request: Any, customer: str) -> HttpResponseBase:
    found = _found(request, customer)
    if reinstate_customer(customer=found, now=clock_of(found)()):
        messages.success(request, "The suspension is lifted. What is open now will not suspend the customer again.")
    else:
        messages.info(request, "This customer is not suspended.")
    return redirect(_address(found))


def _link_of(found: Customer) -> str:
    return f"console.card_link.{found.pk}"


def _address(found: Customer) -> str:
    return reverse("console:paying", args=[found.pk])
