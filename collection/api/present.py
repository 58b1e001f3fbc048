"""How what belongs to collecting looks in the API's answers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import reverse

from collection import models
from collection.services.events import HANDLED_TYPES
from kernel.money import round_to_currency


def _named(one: Any, names: str) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names.split()}


def money(amount: Decimal | None, currency: str) -> str | None:
    """With the currency's digits, as all of the API writes it."""
    return None if amount is None else str(round_to_currency(amount, currency))


def policy(one: models.CollectionPolicy) -> dict[str, Any]:
    return _named(
        one,
        "is_active provider charge_at reminder_days retry_days suspend_after_days give_up_after_days writes_off "
        "lost_dispute",
    )


def webhook_url(one: models.StripeAccount) -> str:
    """Where Stripe is to send its events."""
    return settings.PUBLIC_URL + reverse("stripe_webhook", args=[one.webhook_token])


def stripe_account(one: models.StripeAccount) -> dict[str, Any]:
    return _named(one, "key_hint is_live created_at") | {
        "has_webhook_secret": bool(one.webhook_secret),
        "webhook_url": webhook_url(one),
        "webhook_events": list(HANDLED_TYPES),
    }


def payment_details(one: models.PayingCustomer, *, is_suspended: bool) -> dict[str, Any]:
    return {
        "customer": one.customer.key,
        "provider": one.provider or None,
        "stripe_customer": one.stripe_customer or None,
        "payment_method": one.payment_method_hint or None,
        "is_invoiced_at_stripe": one.is_invoiced_at_stripe,
        "is_suspended": is_suspended,
    }


def collection(one: models.InvoiceCollection) -> dict[str, Any]:
    names = (
        "state is_automatic failed_charges last_failed_at next_charge_at overdue_at suspended_at reinstated_at "
        "given_up_at opened_at closed_at"
    )
    return _named(one, names) | {
        "invoice": one.invoice_id,
        "customer": one.customer.key,
        "number": one.invoice.number,
        "currency": one.invoice.currency,
        "amount_due": money(one.invoice.amount_due, one.invoice.currency),
        "due_at": one.invoice.due_at,
        "last_error": one.last_error or None,
    }


def call(one: models.ProviderCall) -> dict[str, Any]:
    names = "id kind state tries created_at next_try_at finished_at"
    return _named(one, names) | {
        "customer": one.customer.key,
        "invoice": one.invoice_id,
        "payment": one.payment_id,
        "amount": money(one.amount, one.currency),
        "currency": one.currency or None,
        "provider_id": one.provider_id or None,
        "error_code": one.error_code or None,
        "error_detail": one.error_detail or None,
    }


def provider_payment(one: models.ProviderPayment) -> dict[str, Any]:
    refunds: Iterable[models.ProviderRefund] = one.refunds.all()
    disputes: Iterable[models.ProviderDispute] = one.disputes.all()
    return _named(one, "id provider_id currency received_at") | {
        "amount": money(one.amount, one.currency),
        "surplus": money(one.surplus, one.currency),
        "invoice": one.invoice_id,
        "customer": one.invoice.customer.key,
        "payment": one.payment_id,
        "refunds": [_part(refund, one.currency) for refund in refunds],
        "disputes": [_part(each, one.currency) | {"reason": each.reason or None} for each in disputes],
    }


def _part(one: models.ProviderRefund | models.ProviderDispute, currency: str) -> dict[str, Any]:
    return _named(one, "provider_id status created_at") | {"amount": money(one.amount, currency)}


def bank_transfer(one: models.BankTransfer) -> dict[str, Any]:
    return _named(one, "id reference text currency received_at") | {
        "amount": money(one.amount, one.currency),
        "unmatched": money(one.unmatched, one.currency),
        "invoice": one.invoice_id,
        "payment": one.payment_id,
    }


def reconciliation(one: models.Reconciliation) -> dict[str, Any]:
    names = "id provider since started_at finished_at compared open_differences"
    return _named(one, names) | {"error": one.error or None}


def difference(one: models.ReconciliationDifference) -> dict[str, Any]:
    names = "id kind subject here there detail occurred_at found_at resolved_at"
    return _named(one, names) | {"invoice": one.invoice_id}


def stripe_meter(one: models.StripeMeter) -> dict[str, Any]:
    return _named(one, "meter event_name since")
