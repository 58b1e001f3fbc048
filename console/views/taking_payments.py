"""Settings: by whom money is taken, and how what is due is collected."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from collection.facade import (
    HANDLED_TYPES,
    ChargeAt,
    LostDispute,
    ProviderName,
    ProviderUnavailable,
    StripeAccount,
    StripeAccountMissing,
    change_policy,
    check_stripe,
    connect_stripe,
    customer_known_to_stripe,
    disconnect_stripe,
    policy_of,
    set_webhook_secret,
    stripe_account_of,
    webhook_url,
)
from console.access import page
from console.confirming import is_confirmed
from console.forms import Action, Done, PlainForm, form_page, posted
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError, UnavailableError
from rest.access import Permission

_BOTH, _POST = ("GET", "HEAD", "POST"), ("POST",)
_SECRET = {"autocomplete": "off", "spellcheck": "false", "size": "60"}


class DaysField(forms.CharField):
    """Whole numbers of days, separated by commas or spaces."""

    def __init__(self, *, low: int, high: int, **kwargs: Any) -> None:
        super().__init__(max_length=200, required=False, **kwargs)
        self.low, self.high = low, high

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[int]:
        words = super().clean(value).replace(",", " ").split()
        try:
            days = [int(word) for word in words if word.isascii()]
        except ValueError:
            raise forms.ValidationError("Write days as whole numbers, such as 1, 3, 7") from None
        if len(days) < len(words) or len(days) > 20 or any(not self.low <= day <= self.high for day in days):
            raise forms.ValidationError(f"At most 20 days, each from {self.low} to {self.high}")
        return days


class PolicyForm(PlainForm):
    is_active = forms.BooleanField(label="Collect what is due", required=False)
    provider = forms.ChoiceField(
        choices=[(ProviderName.STRIPE, "Stripe"), (ProviderName.MANUAL, "Bank transfers")],
        label="Customers pay by",
        help_text="Single customers may pay otherwise.",
    )
    charge_at = forms.ChoiceField(
        choices=[(ChargeAt.FINALIZED, "when the invoice is final"), (ChargeAt.DUE, "when it is due")],
        label="Cards are charged",
    )
    retry_days = DaysField(low=1, high=60, label="Charge again after", help_text="Days after each failed charge.")
    reminder_days = DaysField(
        low=-60, high=365, label="Remind", help_text="Days from the due date; negative ones lie before it."
    )
    suspend_after_days = forms.IntegerField(
        min_value=0,
        max_value=365,
        required=False,
        label="Suspend after",
        help_text="Days overdue. A suspended customer may use nothing until it has paid. Empty: never.",
    )
    give_up_after_days = forms.IntegerField(
        min_value=0, max_value=1095, required=False, label="Give up after", help_text="Days overdue. Empty: never."
    )
    writes_off = forms.BooleanField(label="Write off what is given up", required=False)
    lost_dispute = forms.ChoiceField(
        choices=[(LostDispute.REOPEN, "is due again"), (LostDispute.WRITE_OFF, "is written off")],
        label="After a lost dispute the invoice",
    )

    def clean_reminder_days(self) -> list[int]:
        return sorted(set(self.cleaned_data["reminder_days"]))


class StripeForm(PlainForm):
    api_key = forms.CharField(
        label="Secret key",
        max_length=255,
        help_text="It begins with sk_ or rk_, is kept encrypted, and is never shown again.",
        widget=forms.PasswordInput(_SECRET),
    )
    is_another_account = forms.BooleanField(
        label="The key is of another account than the last",
        required=False,
        help_text="The customers and cards of that one are forgotten; customers give their cards anew.",
    )

    def __init__(self, *args: Any, has_customers: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_customers:
            del self.fields["is_another_account"]


class SecretForm(PlainForm):
    webhook_secret = forms.CharField(
        label="Signing secret",
        max_length=255,
        help_text="Stripe shows it beside the endpoint; it begins with whsec_.",
        widget=forms.PasswordInput(_SECRET),
    )


@page()
def taking_payments(request: Any) -> HttpResponseBase:
    organization_id = request.access.organization.pk
    account = _account(organization_id)
    context = {
        "policy": policy_of(organization_id),
        "account": account,
        "webhook_url": webhook_url(account) if account and Permission.CONNECT_PROVIDERS in request.access.may else "",
        "events": HANDLED_TYPES,
        "may_connect": Permission.CONNECT_PROVIDERS in request.access.may,
    }
    return render(request, "console/taking_payments.html", context)


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def change_collecting(request: Any) -> HttpResponseBase:
    organization_id = request.access.organization.pk
    policy = policy_of(organization_id)

    def work(fields: dict[str, Any]) -> Done:
        change_policy(organization_id=organization_id, now=system_clock(), actor=request.user.email, **fields)
        return Done(_address(), "What is open is collected by this from now on.")

    initial = {name: getattr(policy, name) for name in PolicyForm.base_fields}
    about = "Switched on, it also begins to collect the invoices that are open already."
    action = Action("Collecting", "Save", work, crumbs=_crumbs(), about=about)
    return form_page(request, PolicyForm(posted(request), initial=initial), action)


@page(may=Permission.CONNECT_PROVIDERS, methods=_BOTH, confirmed=True)
def connect(request: Any) -> HttpResponseBase:
    organization_id = request.access.organization.pk

    def work(fields: dict[str, Any]) -> Done:
        try:
            connect_stripe(organization_id=organization_id, now=system_clock(), actor=request.user.email, **fields)
        except ProviderUnavailable as error:
            raise InvalidError(error.detail) from None
        return Done(_address(), "Stripe has taken the key.")

    # Stripe is asked: not within the transaction that a form done once has.
    action = Action("Connect Stripe", "Connect", work, crumbs=_crumbs(), once=False)
    first = {} if is_confirmed(request) else {"about_template": "console/_confirm_first.html"}
    form = StripeForm(posted(request), has_customers=customer_known_to_stripe(organization_id) is not None)
    return form_page(request, form, action, first)


@page(may=Permission.CONNECT_PROVIDERS, methods=_BOTH, confirmed=True)
def webhook_secret(request: Any) -> HttpResponseBase:
    account = _account(request.access.organization.pk)
    if account is None:  # the key comes first
        return redirect("console:connect_stripe")

    def work(fields: dict[str, Any]) -> Done:
        set_webhook_secret(
            organization_id=account.organization_id, now=system_clock(), actor=request.user.email, **fields
        )
        return Done(_address(), "Events that Stripe signs with it are taken from now on.")

    action = Action("Signing secret of Stripe's webhook", "Save", work, crumbs=_crumbs())
    first = {} if is_confirmed(request) else {"about_template": "console/_confirm_first.html"}
    return form_page(request, SecretForm(posted(request)), action, first)


@page(may=Permission.CONNECT_PROVIDERS, methods=_POST)
def test_connection(request: Any) -> HttpResponseBase:
    try:
        check_stripe(organization_id=request.access.organization.pk)
        messages.success(request, "Stripe answers and takes the key.")
    except (InvalidError, UnavailableError, StripeAccountMissing) as error:
        messages.error(request, error.detail)
    return redirect(_address())


@page(may=Permission.CONNECT_PROVIDERS, methods=_POST, confirmed=True)
def disconnect(request: Any) -> HttpResponseBase:
    try:
        disconnect_stripe(organization_id=request.access.organization.pk, actor=request.user.email)
        messages.success(request, "The key is forgotten. Nobody is charged until there is another.")
    except ConflictError as error:
        messages.error(request, error.detail)
    return redirect(_address())


def _account(organization_id: int) -> StripeAccount | None:
    try:
        return stripe_account_of(organization_id)
    except StripeAccountMissing:
        return None


def _address() -> str:
    return reverse("console:taking_payments")


def _crumbs() -> tuple[tuple[str, str], ...]:
    return ((_address(), "Taking payments"),)
