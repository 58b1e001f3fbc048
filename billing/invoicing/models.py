"""Invoices, lines, numbers and runs, late usage, and the kept open revenue."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from billing.catalog.models import Price
from billing.customers.models import (
    TAX_ROUNDINGS,
    Customer,
    SellerProfile,
    TaxTreatment,
)
from billing.fields import RunStatus
from billing.rating.taxes import TaxRounding
from billing.subscriptions.models import Subscription
from kernel.ids import new_id
from rest.columns import ExactDecimalField


def invoice_id() -> str:
    return new_id("inv")


def invoice_line_id() -> str:
    return new_id("inl")


def billing_run_id() -> str:
    return new_id("run")


class BillingRun(models.Model):
    """The closing of one month for an organization: how far it is and what it met."""

    id = models.CharField(max_length=30, primary_key=True, default=billing_run_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    month = models.CharField(max_length=7)
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    #: Set once it is known what there is to do.
    planned_at = models.DateTimeField(null=True)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    invoices = models.IntegerField(default=0)
    problems = models.JSONField(default=list)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "month"],
                condition=Q(status__in=["queued", "running"]),
                name="one_active_run_per_month",
            )
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.status}"


class BillingRunBatch(models.Model):
    """Subscriptions of a run that are invoiced in one transaction. A worker holds the row while it works, so that a
    killed one lets go of it."""

    run = models.ForeignKey(BillingRun, on_delete=models.CASCADE, related_name="batches")
    position = models.IntegerField()
    subscriptions = models.JSONField()
    done = models.BooleanField(default=False)
    invoices = models.IntegerField(default=0)
    problems = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "billing run batches"
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="batch_position_unique")]

    def __str__(self) -> str:
        return f"{self.run} batch {self.position}"


class InvoiceCounter(models.Model):
    """The last number an organization has given. Taken and given in one transaction, so there are no gaps."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"
    #: Nothing was owed, and the organization's policy is to send no invoice over nothing. It has no number.
    SKIPPED = "skipped"


class InvoiceKind(models.TextChoices):
    #: What a subscription owes when it begins: the fees in advance of its first period.
    OPENING = "opening"
    #: What it owes at the end of a period: that period in arrears, and the fees in advance of the next.
    CYCLE = "cycle"
    #: Open usage that passed the plan's threshold before its period ended.
    THRESHOLD = "threshold"
    #: Charges made by hand, with no subscription.
    ONE_OFF = "one_off"


#: The order in which drafts are numbered, whoever made them: an opening invoice before the cycle that begins with it.
NUMBERING_ORDER = ("subscription_id", "period_start", "-kind")


class LineRole(models.TextChoices):
    """Why a line is there."""

    #: A price over days of a period.
    CHARGE = "charge"
    #: What a period that was paid for in advance came to, less what was charged for it then.
    SETTLEMENT = "settlement"
    #: What threshold invoices have charged of this period already.
    BILLED_BEFORE = "billed_before"
    #: What late, corrected or reversed usage changes about a line of an earlier invoice.
    ADJUSTMENT = "adjustment"
    ONE_OFF = "one_off"


class Invoice(models.Model):
    """What a customer owes for a period. Once finalized, a trigger in the database refuses every change
    but those of its `status` and what goes with it.

    `log_snapshot` says which transactions of the event log its usage was read from.
    """

    id = models.CharField(max_length=30, primary_key=True, default=invoice_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="invoices")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="invoices", null=True)
    billing_run = models.ForeignKey(BillingRun, on_delete=models.SET_NULL, null=True)
    number = models.CharField(max_length=40, null=True)
    status = models.CharField(max_length=15, choices=InvoiceStatus.choices, default=InvoiceStatus.DRAFT)
    kind = models.CharField(max_length=10, choices=InvoiceKind.choices, default=InvoiceKind.CYCLE)
    #: The month it falls due in, seen from the customer's time zone: closing that month issues it.
    month = models.CharField(max_length=7)
    currency = models.CharField(max_length=3)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    subtotal = ExactDecimalField()
    discount = ExactDecimalField(default=Decimal(0))
    credits_applied = ExactDecimalField(default=Decimal(0))
    tax = ExactDecimalField()
    total = ExactDecimalField()
    amount_due = ExactDecimalField()
    tax_treatment = models.CharField(max_length=15, choices=TaxTreatment.choices, default=TaxTreatment.STANDARD)
    #: How its tax was rounded (`billing.rating.taxes.TaxRounding`); its credit notes follow it.
    tax_rounding = models.CharField(max_length=8, choices=TAX_ROUNDINGS, default=TaxRounding.LINE)
    log_snapshot = models.TextField()
    created_at = models.DateTimeField()
    #: When a draft's grace period ends.
    finalize_at = models.DateTimeField(null=True)
    finalized_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # No period is billed twice, whoever runs whatever how often.
            models.UniqueConstraint(fields=["subscription", "kind", "period_start"], name="no_period_is_billed_twice"),
            models.UniqueConstraint(fields=["organization", "number"], name="invoice_number_unique"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "skipped"], number=None)
                | (~Q(status__in=["draft", "skipped"]) & Q(number__isnull=False)),
                name="only_drafts_have_no_number",
            ),
            models.CheckConstraint(
                condition=Q(total=models.F("subtotal") - models.F("discount") + models.F("tax")),
                name="total_is_the_sum_of_its_parts",
            ),
        ]
        indexes = [
            # In the order in which they are listed: drafts have no number and stand by their id.
            models.Index("organization", "month", Coalesce("number", "id"), name="invoice_by_place"),
            models.Index(
                fields=["organization", "currency"],
                include=["status", "total", "amount_due", "due_at"],
                condition=Q(status__in=["draft", "finalized"]),
                name="invoice_standing",
            ),
            models.Index(fields=["organization", "finalize_at"], condition=Q(status="draft"), name="invoice_drafts"),
        ]

    def __str__(self) -> str:
        return self.number or "draft"


class EmptyBill(models.Model):
    """A bill that had no lines when it fell due, so that no invoice was made of it, and none will be."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="empty_bills")
    kind = models.CharField(max_length=10, choices=InvoiceKind.choices)
    period_start = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "kind", "period_start"], name="no_bill_is_empty_twice")
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.period_start:%Y-%m-%d}"


class InvoiceLine(models.Model):
    """One price over one period: how much, at what, how it was computed, and the way back to its events."""

    id = models.CharField(max_length=30, primary_key=True, default=invoice_line_id, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.SmallIntegerField()
    #: None for what no price says: one-off charges.
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True)
    role = models.CharField(max_length=15, choices=LineRole.choices, default=LineRole.CHARGE)
    #: The line of an earlier invoice that this one adjusts, or (billed before) repeats with the other sign.
    adjusts = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="adjustments")
    kind = models.CharField(max_length=10)
    description = models.TextField()
    quantity = ExactDecimalField()
    unit_amount = ExactDecimalField(null=True)
    #: What the line's price came to in its pricing unit, where it has one, less what grants of units paid.
    units = ExactDecimalField(null=True)
    amount = ExactDecimalField()
    discount = ExactDecimalField(default=Decimal(0))
    tax_rate = ExactDecimalField(default=Decimal(0))
    tax = ExactDecimalField(default=Decimal(0))
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    breakdown = models.JSONField()
    steps = models.JSONField()
    meter_version = models.ForeignKey("metering.MeterVersion", on_delete=models.PROTECT, null=True)
    events = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["invoice", "position"], name="line_position_unique")]

    def __str__(self) -> str:
        return self.description


def late_usage_id() -> str:
    return new_id("lus")


class LateUsageMark(models.Model):
    """Up to where of the event log an organization's closed periods have been looked through (`pg_snapshot`)."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    log_snapshot = models.TextField()

    def __str__(self) -> str:
        return self.log_snapshot


class LateUsageResolution(models.TextChoices):
    #: The next invoice of the subscription will charge or give back the difference.
    OPEN = "open"
    ADJUSTED = "adjusted"
    WRITTEN_OFF = "written_off"
    #: The terms of its line do not price it; `problem` says why. Nothing else of its invoice waits for it.
    UNPRICEABLE = "unpriceable"


class LateUsage(models.Model):
    """A change to a billed line's usage, and what became of it.

    `quantity` and `amount` are differences to what the line and its earlier adjustments have billed.
    """

    id = models.CharField(max_length=30, primary_key=True, default=late_usage_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="late_usage")
    quantity = ExactDecimalField(default=Decimal(0))
    amount = ExactDecimalField(default=Decimal(0))
    resolution = models.CharField(max_length=12, choices=LateUsageResolution.choices, default=LateUsageResolution.OPEN)
    adjustment = models.OneToOneField(InvoiceLine, on_delete=models.CASCADE, null=True, related_name="late_usage_of")
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "late usage"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["line"], condition=models.Q(resolution="open"), name="one_open_late_usage_per_line"
            ),
            models.UniqueConstraint(
                fields=["line"],
                condition=models.Q(resolution="unpriceable"),
                name="one_unpriceable_late_usage_per_line",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.resolution})"


class OpenRevenue(models.Model):
    """What bills of a subscription that have no invoice yet came to at `priced_at`, in the currency of its plan.

    `months` holds, by month (`2026-11`), `net` and `tax` as decimal text, or under `problem` why it cannot be priced.
    `is_stale` says that usage has come since.
    """

    subscription = models.OneToOneField(
        "billing.Subscription", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    currency = models.CharField(max_length=3)
    months = models.JSONField(default=dict)
    is_stale = models.BooleanField(default=False)
    priced_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "open revenue"
        indexes = [models.Index(fields=["organization", "is_stale", "priced_at"], name="open_revenue_by_age")]

    def __str__(self) -> str:
        return f"{self.subscription_id} at {self.priced_at:%Y-%m-%d %H:%M}"


class OpenRevenueReader(models.Model):
    """Up to which transactions (a `pg_snapshot` as text) an organization's usage has been looked at."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    snapshot = models.TextField()

    def __str__(self) -> str:
        return self.snapshot


class InvoiceIdentity(models.Model):
    """Who billed whom, as it was when the invoice was finalized. Never changes (a trigger refuses it)."""

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, primary_key=True, related_name="identity")
    seller = models.ForeignKey(SellerProfile, on_delete=models.PROTECT)
    #: `name`, `email`, `address`, `tax_id` and `locale` of the customer, as one token encrypted under its documents
    #: key: read it through `billing.customers.sellers.identity_of`.
    buyer = models.JSONField()

    class Meta:
        verbose_name_plural = "invoice identities"

    def __str__(self) -> str:
        return self.invoice_id
