"""What a comparison with the provider found."""

from __future__ import annotations

from django.db import models

from kernel.ids import new_id


def reconciliation_id() -> str:
    return new_id("rcn")


class Reconciliation(models.Model):
    """One comparison of our books with a provider's, over what it did since `since`."""

    id = models.CharField(max_length=30, primary_key=True, default=reconciliation_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    provider = models.CharField(max_length=10)
    since = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    #: Why it could not be finished.
    error = models.TextField(blank=True)
    compared = models.IntegerField(default=0)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.id


class ReconciliationDifference(models.Model):
    """One difference. `subject` is the provider's id, or ours where the provider has none."""

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="differences")
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=255)
    invoice = models.ForeignKey("billing.Invoice", on_delete=models.PROTECT, null=True)
    here = models.CharField(max_length=100, blank=True)
    there = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
