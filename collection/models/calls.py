"""The outbox: every call to a provider that moves something is a row before it is made."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.ids import new_id
from rest.columns import ExactDecimalField


def provider_call_id() -> str:
    return new_id("pvc")


class CallKind(models.TextChoices):
    CUSTOMER = "customer"
    CHARGE = "charge"
    REFUND = "refund"
    USAGE = "usage"


class CallState(models.TextChoices):
    #: Written down, and not sent or to be sent again.
    PENDING = "pending"
    #: A worker holds it until `next_try_at`.
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    #: The provider said no, or it is certain that nothing happened.
    FAILED = "failed"
    #: Never sent, since there was no need any more.
    CANCELLED = "cancelled"
    #: Sent, and nobody knows what became of it: a person has to look.
    UNKNOWN = "unknown"


OPEN_STATES = (CallState.PENDING, CallState.SENDING)


class ProviderCall(models.Model):
    """A call to a provider. `idempotency_key` and `request` never change once it was sent for the first time."""

    id = models.CharField(max_length=30, primary_key=True, default=provider_call_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    kind = models.CharField(max_length=10, choices=CallKind.choices)
    state = models.CharField(max_length=10, choices=CallState.choices, default=CallState.PENDING)
    customer = models.ForeignKey("billing.Customer", on_delete=models.CASCADE)
    invoice = models.ForeignKey("billing.Invoice", on_delete=models.PROTECT, null=True)
    #: Of a refund: what it gives back at the provider, and the refund in our books (None where it never was in them).
    provider_payment = models.ForeignKey("collection.ProviderPayment", on_delete=models.PROTECT, null=True)
    payment = models.ForeignKey("billing.Payment", on_delete=models.PROTECT, null=True)
    amount = ExactDecimalField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    idempotency_key = models.CharField(max_length=255, unique=True)
    request = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    #: None: at once.
    next_try_at = models.DateTimeField(null=True)
    tries = models.IntegerField(default=0)
    first_sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=255, blank=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            # An invoice is charged by one call at a time.
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(kind="charge", state__in=["pending", "sending", "unknown"]),
                name="one_open_charge_per_invoice",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(state__in=["pending", "sending"]), name="provider_calls_to_make"
            ),
            models.Index(fields=["organization", "state"], name="provider_calls_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} {self.state}"
