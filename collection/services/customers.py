"""Customers at Stripe: made when first needed, and known by what Stripe has of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.facade import record_audit
from billing.facade import Customer, Invoice
from collection.domain.minor_units import to_minor_units
from collection.domain.page_lines import PageLine, page_lines
from collection.models import PayingCustomer, ProviderCall
from collection.models.calls import OPEN_STATES, CallKind, CallState, provider_call_id
from collection.providers.contract import ProviderUnavailable
from collection.providers.directory import stripe_of
from collection.providers.stripe_client import Refused
from collection.providers.stripe_objects import StripeObjects
from collection.queries.accounts import may_charge, paying_customer, stripe_account_of
from collection.services.dunning import plan_charges
from collection.services.money import take_payment
from collection.services.outbox import make_call
from kernel.errors import ConflictError

#: How long a payment by a page may be under way, such as a bank debit.
_JUST = timedelta(days=14)


class NothingDue(ConflictError):
    code = "nothing_due"


class TestClockAtLiveStripe(ConflictError):
    code = "test_clock_at_live_stripe"


def change_customer(*, customer: Customer, actor: str = "system", **fields: Any) -> PayingCustomer:
    """Change `provider` or `is_invoiced_at_stripe` of a customer."""
    with transaction.atomic():
        paying, _ = PayingCustomer.objects.update_or_create(
            customer=customer, defaults=fields, create_defaults={**fields, "organization_id": customer.organization_id}
        )
        record_audit(
            organization_id=customer.organization_id,
            actor=actor,
            action="paying_customer.change",
            target=customer.pk,
            **fields,
        )
    return paying


def customer_at_stripe(*, customer: Customer, now: datetime) -> str:
    """The customer's id at Stripe, where it is made if need be. Must run outside of a transaction.

    Raises `StripeAccountMissing`, and `ProviderUnavailable` where Stripe does not answer; asking again goes on with the
    same call.
    """
    if found := paying_customer(customer).stripe_customer:
        return found
    call = make_call(call_id=_order_customer(customer, now).pk, now=now)
    if call is None or call.state != CallState.SUCCEEDED:
        raise ProviderUnavailable("Stripe did not answer: try again in a moment")
    return call.provider_id


def _order_customer(customer: Customer, now: datetime) -> ProviderCall:
    with transaction.atomic():
        Customer.objects.select_for_update(of=("self",)).get(pk=customer.pk)
        open_call = ProviderCall.objects.filter(customer=customer, kind=CallKind.CUSTOMER, state__in=OPEN_STATES)
        if found := open_call.first():
            ProviderCall.objects.filter(pk=found.pk, state=CallState.PENDING).update(next_try_at=None)
            return found
        call_id = provider_call_id()
        request = stripe_of(customer.organization_id).customer_request(call_id=call_id, customer=customer)
        return ProviderCall.objects.create(
            id=call_id,
            organization_id=customer.organization_id,
            kind=CallKind.CUSTOMER,
            customer=customer,
            idempotency_key=f"taximeter-{call_id}",
            request=request,
            created_at=now,
        )


def payment_setup_page(*, customer: Customer, now: datetime, return_url: str = "") -> str:
    """The address of Stripe's page on which a customer gives a payment method. Outside of a transaction."""
    objects = StripeObjects(stripe_account_of(customer.organization_id))
    record_audit(organization_id=customer.organization_id, action="customer.ask_for_card", target=customer.key)
    at_stripe, back = customer_at_stripe(customer=customer, now=now), return_url or settings.PUBLIC_URL
    return objects.setup_page(customer=at_stripe, success_url=back, cancel_url=back, currency=customer.currency)


def payment_page(*, invoice: Invoice, now: datetime, return_url: str = "") -> str:
    """The address of Stripe's page on which what is due of an invoice is paid. What is paid twice goes back.

    Outside of a transaction. Raises `NothingDue`, `AmountNotChargeable`.
    """
    if invoice.status not in {"finalized", "uncollectible"} or invoice.amount_due <= 0:
        raise NothingDue("Nothing is due of this invoice")
    account = stripe_account_of(invoice.organization_id)
    if not may_charge(invoice.customer, account):
        raise TestClockAtLiveStripe("Who lives by a test clock pays with a test key only")
    record_audit(organization_id=invoice.organization_id, action="invoice.payment_page", target=invoice.pk)
    return StripeObjects(account).payment_page(
        customer=customer_at_stripe(customer=invoice.customer, now=now),
        lines=_page_lines(invoice),
        currency=invoice.currency,
        metadata={
            "taximeter_organization": account.organization.public_id,
            "taximeter_invoice": invoice.pk,
            "taximeter_customer": invoice.customer_id,
        },
        success_url=return_url or settings.PUBLIC_URL,
    )


def _page_lines(invoice: Invoice) -> list[PageLine]:
    def units(amount: Decimal) -> int:
        return to_minor_units(amount, invoice.currency)

    return page_lines(
        number=invoice.number or "",
        lines=[PageLine(one.description, units(one.amount - one.discount)) for one in invoice.lines.all()],
        tax=units(invoice.tax),
        due=units(invoice.amount_due),
    )


def take_customer(*, organization_id: int, stripe_customer: str, now: datetime) -> PayingCustomer | None:
    """Learn what Stripe has of a customer: whether it is there, and how it pays. None for one that is none of ours.

    It pays by what Stripe has as its default, or else by what it gave last. Where there is a new way to pay, what is
    open is charged by it. Outside of a transaction.
    """
    rows = PayingCustomer.objects.filter(organization_id=organization_id, stripe_customer=stripe_customer)
    if not stripe_customer or not rows.exists():
        return None
    objects = StripeObjects(stripe_account_of(organization_id))
    try:
        found = objects.customer(stripe_customer)
    except Refused:
        found = {"deleted": True}
    methods = [] if found.get("deleted") else objects.payment_methods(stripe_customer)
    default = (found.get("invoice_settings") or {}).get("default_payment_method")
    chosen: dict[str, Any] = next((one for one in methods if one["id"] == default), methods[0] if methods else {})
    with transaction.atomic():
        paying = rows.select_for_update(of=("self",)).select_related("customer__test_clock").get()
        is_new = bool(chosen) and chosen["id"] != paying.payment_method
        paying.payment_method, paying.payment_method_hint = chosen.get("id", ""), _hint(chosen)
        if found.get("deleted"):
            paying.stripe_customer, paying.deleted_at_provider = "", now
        paying.save()
    if is_new:
        busy = _take_payments(objects, paying, stripe_customer, now)
        plan_charges(customers=[paying.customer], now=now, besides=busy)
    return paying


def _take_payments(objects: StripeObjects, paying: PayingCustomer, stripe_customer: str, now: datetime) -> set[str]:
    """Note what the customer has just paid: who pays on a page gives a card by it, and is not to be charged for the
    same once more. Answers the invoices whose payments are still under way."""
    busy = set()
    for intent in objects.intents_of(stripe_customer, now - _JUST):
        if intent["status"] == "succeeded":
            take_payment(organization_id=paying.organization_id, intent=intent, now=now)
        elif intent["status"] == "processing":
            busy.add(str((intent.get("metadata") or {}).get("taximeter_invoice", "")))
    return busy


def _hint(method: dict[str, Any]) -> str:
    """Such as "visa 4242"; the kind of what is no card."""
    kind = str(method.get("type", ""))
    details = method.get(kind) or {}
    return " ".join(part for part in [str(details.get("brand") or kind), str(details.get("last4") or "")] if part)[:60]
