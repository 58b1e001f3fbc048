"""Charges made by hand."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from billing.models.customers import Customer
from billing.models.fields import ExactDecimalField
from billing.models.invoices import InvoiceLine
from kernel.ids import new_id


def charge_id() -> str:
    return new_id("chg")


class OneOffCharge(models.Model):
    """An amount for something no plan says. It waits for the customer's next invoice, or makes one of its own;
    `line` is where it was billed."""

    id = models.CharField(max_length=30, primary_key=True, default=charge_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="one_off_charges")
    description = models.TextField()
    currency = models.CharField(max_length=3)
    quantity = ExactDecimalField(default=Decimal(1))
    unit_amount = ExactDecimalField()
    #: Instead of the customer's rate.
    tax_rate = ExactDecimalField(null=True)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    line = models.OneToOneField(InvoiceLine, on_delete=models.SET_NULL, null=True, related_name="one_off_charge")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "one-off charge"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["organization", "customer"], condition=models.Q(line=None), name="charges_waiting")
        ]

    def __str__(self) -> str:
        return self.description
