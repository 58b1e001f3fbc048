"""A customer's data: exported, merged, anonymized and erased; and how long an organization keeps what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from accounts.facade import MOST_YEARS, privacy_policy_of
from billing.facade import Customer, clock_of, get_customer
from console.access import page
from console.forms import Action, CustomerInput, Done, PlainForm, form_page, posted
from kernel.clock import system_clock
from privacy.facade import (
    anonymize_customer,
    erase_customer,
    merge_customers,
    preview_merge,
    set_privacy_policy,
    streamed_export,
)
from rest.access import Permission

_MAY = Permission.MANAGE_PRIVACY
_BOTH = ("GET", "HEAD", "POST")
_ANY = "*"


class _ConfirmForm(PlainForm):
    """The customer's key has to be typed, so that nobody removes the wrong one by a slip."""

    confirmation = forms.CharField(label="Customer key", max_length=128, required=True)

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer
        self.fields["confirmation"].help_text = f"Enter {customer.key} to confirm."

    def clean_confirmation(self) -> str:
        typed = str(self.cleaned_data["confirmation"]).strip()
        if typed != self.customer.key:
            raise forms.ValidationError("This is not the key of this customer")
        return typed


class _EraseForm(_ConfirmForm):
    cancel_first = forms.BooleanField(label="Cancel active subscriptions today", required=False)


class _MergeForm(_ConfirmForm):
    into = forms.CharField(
        label="Merge into",
        max_length=128,
        widget=CustomerInput(),
        help_text="Key or id of the customer that stays.",
    )
    field_order = ("into", "confirmation")


class _PolicyForm(PlainForm):
    retention_years = forms.IntegerField(
        label="Years to keep documents",
        min_value=0,
        max_value=MOST_YEARS,
        help_text="How long the buyer on issued documents of an erased customer can be read, from the end of the "
        "calendar year of the last one. 10 covers § 147 AO in Germany (8 years for invoices, 10 for books).",
    )
    personal_fields = forms.CharField(
        label="Personal fields of events",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="One a line, such as data.user_email, or agent.turn data.user_email for one type of event. They "
        "are encrypted in events that come from now on.",
    )


@page(may=_MAY)
def customer_privacy(request: Any, customer: str) -> HttpResponseBase:
    """The actions, each with its effect."""
    found = _found(request, customer)
    context = {"customer": found, "policy": privacy_policy_of(request.access.organization.pk)}
    return render(request, "console/customer_privacy.html", context)


@page(may=_MAY)
def customer_export(request: Any, customer: str) -> HttpResponseBase:
    """Everything held about the customer, as a JSON file."""
    return streamed_export(_found(request, customer))


@page(may=_MAY, methods=_BOTH, confirmed=True)
def anonymize(request: Any, customer: str) -> HttpResponseBase:
    found = _found(request, customer)

    def work(_: dict[str, Any]) -> Done:
        anonymize_customer(customer=found, now=clock_of(found)())
        return Done(_address(found), "The customer's personal details were removed.")

    about = "Removes the name, addresses and free texts of this customer for ever. Usage and books stay as they are."
    action = Action("Anonymize customer", "Anonymize customer", work, _crumbs(found), about, danger=True)
    return form_page(request, _ConfirmForm(posted(request), customer=found), action)


@page(may=_MAY, methods=_BOTH, confirmed=True)
def erase(request: Any, customer: str) -> HttpResponseBase:
    found = _found(request, customer)

    def work(fields: dict[str, Any]) -> Done:
        erase_customer(customer=found, now=clock_of(found)(), cancel_first=fields["cancel_first"])
        return Done(_address(found), "The customer was erased.")

    about = "Anonymizes this customer and ends all that is left of it. Only what the law keeps stays, encrypted."
    action = Action("Erase customer", "Erase customer", work, _crumbs(found), about, danger=True)
    return form_page(request, _EraseForm(posted(request), customer=found), action)


@page(may=_MAY, methods=_BOTH, confirmed=True)
def merge(request: Any, customer: str) -> HttpResponseBase:
    found = _found(request, customer)

    def other(fields: dict[str, Any]) -> Customer:
        return get_customer(organization_id=request.access.organization.pk, customer=fields["into"])

    def preview(fields: dict[str, Any]) -> dict[str, Any]:
        return {"merge": preview_merge(customer=found, into=other(fields), now=clock_of(found)())}

    def work(fields: dict[str, Any]) -> Done:
        done = merge_customers(customer=found, into=other(fields), now=clock_of(found)())
        return Done(_address(done.into), f"{found.key} was merged: {done.events} events count here now.")

    about = "Its usage counts for another customer from now on. Invoices and payments stay with this one."
    action = Action("Merge customer", "Merge customer", work, _crumbs(found), about, danger=True, preview=preview)
    form = _MergeForm(posted(request), customer=found)
    return form_page(request, form, action, {"preview_template": "console/_merge.html"})


@page(may=_MAY)
def privacy(request: Any) -> HttpResponseBase:
    """How long documents are kept, and the personal fields of events."""
    return render(request, "console/privacy.html", {"policy": privacy_policy_of(request.access.organization.pk)})


@page(may=_MAY, methods=_BOTH)
def change_privacy(request: Any) -> HttpResponseBase:
    organization_id = request.access.organization.pk
    policy = privacy_policy_of(organization_id)

    def work(fields: dict[str, Any]) -> Done:
        set_privacy_policy(
            organization_id=organization_id,
            now=system_clock(),
            retention_years=fields["retention_years"],
            personal_fields=[_field(line) for line in fields["personal_fields"].splitlines() if line.strip()],
        )
        return Done(reverse("console:privacy"), "The privacy settings were saved.")

    lines = [
        one["path"] if one["event_type"] == _ANY else f"{one['event_type']} {one['path']}"
        for one in policy.personal_fields
    ]
    initial = {"retention_years": policy.retention_years, "personal_fields": "\n".join(lines)}
    action = Action("Privacy", "Save settings", work, ((reverse("console:privacy"), "Privacy"),))
    return form_page(request, _PolicyForm(posted(request), initial=initial), action)


def _field(line: str) -> dict[str, str]:
    event_type, _, path = line.strip().rpartition(" ")
    return {"event_type": event_type.strip() or _ANY, "path": path}


def _found(request: Any, customer: str) -> Customer:
    return get_customer(organization_id=request.access.organization.pk, customer=customer)


def _address(customer: Customer) -> str:
    return reverse("console:customer", args=[customer.pk])


def _crumbs(customer: Customer) -> tuple[tuple[str, str], ...]:
    address = reverse("console:customer_privacy", args=[customer.pk])
    return ((_address(customer), customer.name), (address, "Privacy"))
