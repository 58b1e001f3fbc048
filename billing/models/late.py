"""Usage that came, or was taken back, after its period was invoiced."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from billing.models.fields import ExactDecimalField
from billing.models.invoices import InvoiceLine
from kernel.ids import new_id


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

    class Meta:
        verbose_name_plural = "late usage"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["line"], condition=models.Q(resolution="open"), name="one_open_late_usage_per_line"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.resolution})"
