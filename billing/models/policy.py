"""How an organization bills, where it may choose."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models


class LateUsagePolicy(models.TextChoices):
    #: The next invoice charges or gives back the difference.
    ADJUST = "adjust"
    #: The difference is reported, and nobody is charged for it.
    WRITE_OFF = "write_off"


class ZeroAmountPolicy(models.TextChoices):
    #: An invoice over nothing is issued like any other, and is paid at once.
    ISSUE = "issue"
    #: It is kept without a number, and not sent.
    SKIP = "skip"


class IssuePolicy(models.TextChoices):
    #: Invoices are issued when somebody closes the month.
    MONTH_CLOSE = "month_close"
    #: Each is issued by itself when it falls due; closing the month then finds what is left.
    WHEN_DUE = "when_due"


class BillingPolicy(models.Model):
    """An organization's choices. Without a row the defaults hold."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    #: How long an invoice stays a draft after its period, while late events still count.
    grace_hours = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(24 * 60)])
    payment_days = models.PositiveSmallIntegerField(default=30, validators=[MaxValueValidator(365)])
    late_usage = models.CharField(max_length=10, choices=LateUsagePolicy.choices, default=LateUsagePolicy.ADJUST)
    zero_amount = models.CharField(max_length=10, choices=ZeroAmountPolicy.choices, default=ZeroAmountPolicy.ISSUE)

    issue = models.CharField(max_length=12, choices=IssuePolicy.choices, default=IssuePolicy.MONTH_CLOSE)

    class Meta:
        verbose_name_plural = "billing policies"

    def __str__(self) -> str:
        return f"billing policy of {self.organization_id}"
