"""What comparisons with the provider found."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.ids import new_id


def reconciliation_id() -> str:
    return new_id("rcn")


def difference_id() -> str:
    return new_id("rcd")


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
    #: How many things of theirs and of ours were compared, and how many differences are open after it.
    compared = models.IntegerField(default=0)
    open_differences = models.IntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["organization", "-id"], name="reconciliations_newest")]

    def __str__(self) -> str:
        return self.id


class ReconciliationDifference(models.Model):
    """One difference, from the comparison that found it first until the first that finds it no more (`resolved_at`).
    `subject` is the provider's id, or ours where the provider has none; `here` and `there` are what both say, as the
    last comparison read it."""

    id = models.CharField(max_length=30, primary_key=True, default=difference_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    #: The last comparison that saw it.
    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="differences")
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=255)
    invoice = models.ForeignKey("billing.Invoice", on_delete=models.PROTECT, null=True)
    here = models.CharField(max_length=100, blank=True)
    there = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True)
    #: When what differs was made; comparisons reach back to it until it is resolved.
    occurred_at = models.DateTimeField()
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject"],
                condition=Q(resolved_at=None),
                name="a_difference_is_open_once",
            )
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="differences_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
