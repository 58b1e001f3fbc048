"""Moving everybody on a plan to another of its versions."""

from __future__ import annotations

from django.db import models

from billing.models.catalogue import Plan, PlanVersion
from billing.models.invoices import RunStatus
from kernel.ids import new_id


def plan_migration_id() -> str:
    return new_id("plm")


class PlanMigration(models.Model):
    """A migration of a plan's subscriptions to `to_version`: how far it is, and whom it could not move.

    It is worked in batches, each in one transaction; what is left to move is found anew every time.
    """

    id = models.CharField(max_length=30, primary_key=True, default=plan_migration_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="migrations")
    to_version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE)
    when = models.CharField(max_length=10)
    actor = models.CharField(max_length=254)
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    total = models.IntegerField(default=0)
    moved = models.IntegerField(default=0)
    #: Subscriptions that stayed where they were, and why.
    problems = models.JSONField(default=list)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan"],
                condition=models.Q(status__in=["queued", "running"]),
                name="one_active_migration_per_plan",
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan} to {self.to_version}"
