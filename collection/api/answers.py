"""What the endpoints of collecting answer, for the API's description."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import BooleanField, CharField, IntegerField, ListField, Serializer

from rest.serializers import DecimalField, InstantField


class CollectionPolicy(Serializer[Any]):
    """Days are counted from the due date; of `retry_days` each from a failed charge to the next."""

    is_active = BooleanField()
    provider = CharField()
    charge_at = CharField()
    reminder_days = ListField(child=IntegerField())
    retry_days = ListField(child=IntegerField())
    suspend_after_days = IntegerField(allow_null=True)
    give_up_after_days = IntegerField(allow_null=True)
    writes_off = BooleanField()
    lost_dispute = CharField()


class StripeAccount(Serializer[Any]):
    """The key and the webhook's secret are never answered."""

    key_hint = CharField()
    is_live = BooleanField()
    has_webhook_secret = BooleanField()
    webhook_url = CharField()
    webhook_events = ListField(child=CharField())
    created_at = InstantField()


class PaymentDetails(Serializer[Any]):
    customer = CharField()
    provider = CharField(allow_null=True)
    stripe_customer = CharField(allow_null=True)
    payment_method = CharField(allow_null=True)
    is_invoiced_at_stripe = BooleanField()
    is_suspended = BooleanField()


class Link(Serializer[Any]):
    url = CharField()


class PaymentLink(Link):
    """`url` lasts and may be sent to the customer; `page_url` is the provider's page, which expires within a day."""

    page_url = CharField(allow_null=True)


class InvoiceCollection(Serializer[Any]):
    invoice = CharField()
    customer = CharField()
    number = CharField(allow_null=True)
    state = CharField()
    is_automatic = BooleanField()
    currency = CharField()
    amount_due = DecimalField()
    due_at = InstantField(allow_null=True)
    failed_charges = IntegerField()
    last_failed_at = InstantField(allow_null=True)
    last_error = CharField(allow_null=True)
    next_charge_at = InstantField(allow_null=True)
    overdue_at = InstantField(allow_null=True)
    suspended_at = InstantField(allow_null=True)
    reinstated_at = InstantField(allow_null=True)
    given_up_at = InstantField(allow_null=True)
    opened_at = InstantField()
    closed_at = InstantField(allow_null=True)


class ProviderCall(Serializer[Any]):
    id = CharField()
    kind = CharField()
    state = CharField()
    customer = CharField()
    invoice = CharField(allow_null=True)
    payment = CharField(allow_null=True)
    amount = DecimalField(allow_null=True)
    currency = CharField(allow_null=True)
    tries = IntegerField()
    created_at = InstantField()
    next_try_at = InstantField(allow_null=True)
    finished_at = InstantField(allow_null=True)
    provider_id = CharField(allow_null=True)
    error_code = CharField(allow_null=True)
    error_detail = CharField(allow_null=True)


class ProviderRefund(Serializer[Any]):
    provider_id = CharField()
    amount = DecimalField()
    status = CharField()
    created_at = InstantField()


class ProviderDispute(ProviderRefund):
    reason = CharField(allow_null=True)


class ProviderPayment(Serializer[Any]):
    """`surplus` is what came beyond what was due, and goes back."""

    id = CharField()
    invoice = CharField()
    customer = CharField()
    payment = CharField(allow_null=True)
    provider_id = CharField()
    amount = DecimalField()
    surplus = DecimalField()
    currency = CharField()
    received_at = InstantField()
    refunds = ProviderRefund(many=True)
    disputes = ProviderDispute(many=True)


class BankTransfer(Serializer[Any]):
    id = CharField()
    reference = CharField()
    text = CharField()
    amount = DecimalField()
    unmatched = DecimalField()
    currency = CharField()
    invoice = CharField(allow_null=True)
    payment = CharField(allow_null=True)
    received_at = InstantField()


class Reconciliation(Serializer[Any]):
    id = CharField()
    provider = CharField()
    since = InstantField()
    started_at = InstantField()
    finished_at = InstantField(allow_null=True)
    error = CharField(allow_null=True)
    compared = IntegerField()
    open_differences = IntegerField()


class Started(Serializer[Any]):
    status = CharField()


class Difference(Serializer[Any]):
    id = CharField()
    kind = CharField()
    subject = CharField()
    invoice = CharField(allow_null=True)
    here = CharField()
    there = CharField()
    detail = CharField()
    occurred_at = InstantField()
    found_at = InstantField()
    resolved_at = InstantField(allow_null=True)


class StripeMeter(Serializer[Any]):
    meter = CharField()
    event_name = CharField()
    since = InstantField()
