"""Payments and credit notes."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.invoicing.models import Invoice, InvoiceLine
from kernel.ids import new_id
from rest.columns import ExactDecimalField


def payment_id() -> str:
    return new_id("pay")


def credit_note_id() -> str:
    return new_id("crn")


class Payment(models.Model):
    """Money received for an invoice, or (negative) given back."""

    id = models.CharField(max_length=30, primary_key=True, default=payment_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    amount = ExactDecimalField()
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=40, default="manual")
    reference = models.CharField(max_length=200, blank=True)
    #: The payment that this one gives back, where it does so on its own and not for a credit note.
    refund_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="refunds")
    paid_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class CreditNoteCounter(models.Model):
    """The last credit note number an organization has given."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)


class CreditNoteKind(models.TextChoices):
    #: What was billed was wrong: usage that did not happen, seats that were not there. Later differences of the same
    #: lines count what it gave back.
    CORRECTION = "correction"
    #: What was billed was right, and is given back all the same. Later differences are given back besides.
    GOODWILL = "goodwill"


class CreditNote(models.Model):
    """Takes back part or all of a finalized invoice, which itself stays as it is.

    `total` first lowers what is still due (`applied`); the rest goes to the customer's credit (`credited`) or is
    paid back (`refunded`).
    """

    id = models.CharField(max_length=30, primary_key=True, default=credit_note_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=40)
    kind = models.CharField(max_length=12, choices=CreditNoteKind.choices, default=CreditNoteKind.CORRECTION)
    reason = models.TextField(blank=True)
    currency = models.CharField(max_length=3)
    subtotal = ExactDecimalField()
    tax = ExactDecimalField()
    total = ExactDecimalField()
    applied = ExactDecimalField(default=Decimal(0))
    credited = ExactDecimalField(default=Decimal(0))
    refunded = ExactDecimalField(default=Decimal(0))
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], name="credit_note_number_unique"),
            models.CheckConstraint(condition=Q(total=F("subtotal") + F("tax")), name="credit_note_is_its_parts"),
            models.CheckConstraint(
                condition=Q(total=F("applied") + F("credited") + F("refunded")), name="credit_note_goes_somewhere"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """What is taken back of one invoice line: `amount` before tax, after its discount."""

    credit_note = models.ForeignKey(CreditNote, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="credited_by")
    amount = ExactDecimalField()
    tax = ExactDecimalField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.amount)
