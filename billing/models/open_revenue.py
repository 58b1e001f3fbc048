"""What the open months of subscriptions come to, kept so that an overview of many of them need not price them all."""

from __future__ import annotations

from django.db import models


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
