"""Ledger transactions, their entries and deferred revenue. Never changed once written."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.credits.models import CreditMovement
from billing.customers.models import Customer
from billing.invoicing.models import Invoice, InvoiceLine
from billing.ledger.postings import Account as Accounts
from billing.payments.models import CreditNote, Payment
from kernel.ids import new_id
from rest.columns import ExactDecimalField


def ledger_transaction_id() -> str:
    return new_id("ltx")


class TransactionKind(models.TextChoices):
    INVOICE = "invoice"
    VOID = "void"
    WRITE_OFF = "write_off"
    PAYMENT = "payment"
    REFUND = "refund"
    CREDIT_NOTE = "credit_note"
    #: A movement of a grant of money.
    CREDIT = "credit"
    #: Deferred revenue that was earned in a month.
    REVENUE = "revenue"


class LedgerTransaction(models.Model):
    """One event in the books, in one currency and of one customer. Its entries sum to zero, and neither they nor it
    ever change: triggers in the database see to both. `source` names what it books, so that nothing is booked twice.
    """

    id = models.CharField(max_length=30, primary_key=True, default=ledger_transaction_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, db_index=False)
    kind = models.CharField(max_length=12, choices=TransactionKind.choices)
    source = models.CharField(max_length=200)
    occurred_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, db_index=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, db_index=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, db_index=False)
    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, null=True, db_index=False)
    movement = models.ForeignKey(CreditMovement, on_delete=models.PROTECT, null=True, db_index=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "source"], name="nothing_is_booked_twice"),
        ]
        # Named here, because Django makes a second index for patterns of every indexed text column.
        indexes = [
            models.Index(fields=["organization", "occurred_at"], name="ledger_by_time"),
            models.Index(fields=["customer"], name="ledger_by_customer"),
            models.Index(fields=["invoice"], condition=Q(invoice__isnull=False), name="ledger_by_invoice"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.occurred_at:%Y-%m-%d}"


class LedgerEntry(models.Model):
    """One side of a transaction: a debit is positive, a credit negative."""

    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries", db_index=False)
    account = models.CharField(max_length=20, choices=[(one.value, one.value) for one in Accounts])
    amount = ExactDecimalField()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "ledger entries"
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="ledger_entry_is_not_nothing")]
        indexes = [models.Index(fields=["transaction"], name="entries_of_transaction")]

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


class DeferredRevenue(models.Model):
    """Revenue of a line that is earned over days: from `starts_on` up to `ends_on` (not among them) in the customer's
    time zone. Negative where a credit note or a void takes back what was not earned yet.

    `recognized` of it is earned by the days before `recognized_until`; nothing else of a row ever changes.
    """

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="deferrals", db_index=False
    )
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, db_index=False)
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="deferrals", db_index=False)
    currency = models.CharField(max_length=3)
    amount = ExactDecimalField()
    starts_on = models.DateField()
    ends_on = models.DateField()
    booked_at = models.DateTimeField()
    recognized = ExactDecimalField(default=Decimal(0))
    recognized_until = models.DateField()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "deferred revenue"
        constraints = [
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="deferred_over_at_least_a_day"),
        ]
        indexes = [
            # What is still to be recognized, however long the history is.
            models.Index(
                fields=["organization", "starts_on"],
                condition=Q(recognized_until__lt=F("ends_on")),
                name="revenue_to_recognize",
            ),
            models.Index(fields=["line"], name="deferrals_of_line"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} from {self.starts_on} to {self.ends_on}"
