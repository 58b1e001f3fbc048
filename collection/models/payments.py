"""Money as the provider tells of it, each thing of theirs once."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from kernel.ids import new_id
from rest.columns import ExactDecimalField


def provider_payment_id() -> str:
    return new_id("pvp")


def bank_transfer_id() -> str:
    return new_id("btr")


class ProviderPayment(models.Model):
    """A payment that a provider took for an invoice. `payment` is it in our books, where `surplus` is left out: what
    came beyond what was due, and is given back."""

    id = models.CharField(max_length=30, primary_key=True, default=provider_payment_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    invoice = models.ForeignKey("billing.Invoice", on_delete=models.PROTECT, related_name="provider_payments")
    payment = models.OneToOneField("billing.Payment", on_delete=models.PROTECT, null=True)
    provider_id = models.CharField(max_length=255)
    charge_id = models.CharField(max_length=255, blank=True)
    amount = ExactDecimalField()
    surplus = ExactDecimalField(default=Decimal(0))
    currency = models.CharField(max_length=3)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider_id"], name="provider_payment_is_taken_once")
        ]

    def __str__(self) -> str:
        return self.provider_id


class ProviderRefund(models.Model):
    """Money that the provider gave back of a payment, whoever asked it to."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    provider_payment = models.ForeignKey(ProviderPayment, on_delete=models.PROTECT, related_name="refunds")
    provider_id = models.CharField(max_length=255)
    amount = ExactDecimalField()
    #: The provider's word: pending, succeeded, failed, canceled, requires_action.
    status = models.CharField(max_length=30)
    payment = models.ForeignKey("billing.Payment", on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider_id"], name="provider_refund_is_taken_once")
        ]

    def __str__(self) -> str:
        return self.provider_id


class ProviderDispute(models.Model):
    """A payment that its payer disputes. `payment` is the refund in our books, once it is lost."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    provider_payment = models.ForeignKey(ProviderPayment, on_delete=models.PROTECT, related_name="disputes")
    provider_id = models.CharField(max_length=255)
    amount = ExactDecimalField()
    reason = models.CharField(max_length=60, blank=True)
    #: The provider's word, such as needs_response, under_review, won, lost.
    status = models.CharField(max_length=40)
    payment = models.ForeignKey("billing.Payment", on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider_id"], name="provider_dispute_is_taken_once")
        ]

    def __str__(self) -> str:
        return self.provider_id


class ProviderEvent(models.Model):
    """An event that Stripe told us of. It is written down before it is answered and handled after."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    #: What it is about; the state is asked for anew, since events come in any order.
    object_id = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField()
    tries = models.IntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "event_id"], name="provider_event_is_taken_once")
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(handled_at=None), name="provider_events_to_handle")
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class BankTransfer(models.Model):
    """Money that came in outside of any provider. `reference` is the bank's, and comes once; `invoice` is the one whose
    number stands in `text`."""

    id = models.CharField(max_length=30, primary_key=True, default=bank_transfer_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    reference = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    amount = ExactDecimalField()
    currency = models.CharField(max_length=3)
    received_at = models.DateTimeField()
    invoice = models.ForeignKey("billing.Invoice", on_delete=models.PROTECT, null=True)
    payment = models.ForeignKey("billing.Payment", on_delete=models.PROTECT, null=True)
    #: What of it no invoice could take.
    unmatched = ExactDecimalField(default=Decimal(0))

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "reference"], name="bank_transfer_is_noted_once")
        ]

    def __str__(self) -> str:
        return self.reference
