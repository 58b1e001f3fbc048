"""How collecting an invoice stands."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class DunningState(models.TextChoices):
    CURRENT = "current"
    #: A charge failed, and there will be another.
    RETRYING = "retrying"
    OVERDUE = "overdue"
    SUSPENDED = "suspended"
    GIVEN_UP = "given_up"


class InvoiceCollection(models.Model):
    """An open invoice of an organization that collects. `closed_at` says when nothing was due any more."""

    invoice = models.OneToOneField("billing.Invoice", on_delete=models.CASCADE, primary_key=True)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey("billing.Customer", on_delete=models.CASCADE)
    state = models.CharField(max_length=10, choices=DunningState.choices, default=DunningState.CURRENT)
    #: Whether it is charged without anybody asking: not after money for it went back.
    is_automatic = models.BooleanField(default=True)
    failed_charges = models.SmallIntegerField(default=0)
    last_failed_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=100, blank=True)
    next_charge_at = models.DateTimeField(null=True)
    #: The day, counted from the due date, of the last reminder that was due.
    reminded_day = models.SmallIntegerField(null=True)
    overdue_at = models.DateTimeField(null=True)
    suspended_at = models.DateTimeField(null=True)
    #: Set when a person lifts the suspension.
    reinstated_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    #: When there is something to do next; None: nothing until something happens.
    next_step_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-invoice"]
        indexes = [
            models.Index(fields=["next_step_at"], condition=Q(closed_at=None), name="collections_to_step"),
            models.Index(fields=["organization", "state"], condition=Q(closed_at=None), name="collections_by_state"),
            models.Index(
                fields=["organization", "customer"],
                condition=Q(closed_at=None, reinstated_at=None, suspended_at__isnull=False),
                name="collections_suspended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.state}"
