"""Prepaid money and units, and every movement of them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from billing.models.catalogue import PricingUnit
from billing.models.customers import Customer
from billing.models.fields import ExactDecimalField
from billing.models.invoices import Invoice, InvoiceLine
from kernel.ids import new_id


def credit_grant_id() -> str:
    return new_id("crg")


class GrantSource(models.TextChoices):
    PROMOTION = "promotion"
    PURCHASE = "purchase"
    #: What a credit note, or an invoice of less than nothing, left in the customer's favour.
    BALANCE = "balance"
    ROLLOVER = "rollover"


class CreditGrant(models.Model):
    """Money (in `currency`) or units (of `pricing_unit`, or of what `meter` counts) that a customer has in advance.

    Valid for what falls due in `effective_at` < t <= `expires_at`. `balance` is what is left: the sum of its
    movements. When it expires, up to `rollover_limit` of it becomes a new grant that lives for `rollover_days`.
    """

    id = models.CharField(max_length=30, primary_key=True, default=credit_grant_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="credit_grants")
    name = models.CharField(max_length=200)
    source = models.CharField(max_length=10, choices=GrantSource.choices, default=GrantSource.PROMOTION)
    currency = models.CharField(max_length=3, blank=True)
    pricing_unit = models.ForeignKey(PricingUnit, on_delete=models.PROTECT, null=True)
    meter = models.ForeignKey("metering.Meter", on_delete=models.PROTECT, null=True)
    amount = ExactDecimalField()
    balance = ExactDecimalField()
    #: Lower is drawn first.
    priority = models.SmallIntegerField(default=100)
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    rollover_limit = ExactDecimalField(null=True)
    rollover_days = models.IntegerField(null=True)
    voided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["priority", "expires_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(currency__gt="", pricing_unit=None, meter=None)
                | Q(currency="", pricing_unit__isnull=False, meter=None)
                | Q(currency="", pricing_unit=None, meter__isnull=False),
                name="a_grant_is_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(balance__gte=0, balance__lte=F("amount")), name="grant_not_overdrawn"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(balance__gt=0), name="grants_to_expire")]

    def __str__(self) -> str:
        return self.name


class MovementKind(models.TextChoices):
    GRANTED = "granted"
    DRAWN = "drawn"
    #: A draw that was taken back: its draft was priced anew, or its invoice voided.
    RETURNED = "returned"
    EXPIRED = "expired"
    ROLLED_OVER = "rolled_over"
    VOIDED = "voided"


class CreditMovement(models.Model):
    """One change of a grant's balance; `amount` is signed. Never changed afterwards."""

    grant = models.ForeignKey(CreditGrant, on_delete=models.CASCADE, related_name="movements")
    kind = models.CharField(max_length=12, choices=MovementKind.choices)
    amount = ExactDecimalField()
    invoice = models.ForeignKey(Invoice, on_delete=models.SET_NULL, null=True, related_name="credit_movements")
    line = models.ForeignKey(InvoiceLine, on_delete=models.SET_NULL, null=True, related_name="credit_movements")
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
