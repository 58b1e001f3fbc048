"""Exports, how far they are, and the schedules that start them every month."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.ids import new_id


def export_id() -> str:
    return new_id("exp")


def schedule_id() -> str:
    return new_id("exs")


class ExportStatus(models.TextChoices):
    QUEUED = "queued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: Its files were removed when their time was over.
    EXPIRED = "expired"


class Trigger(models.TextChoices):
    """When a month is exported: once it is closed, or on a day of the next month."""

    AFTER_CLOSE = "after_close"
    DAY = "day"


class ExportSchedule(models.Model):
    """Which kinds an organization exports every month, in which format, when, and whom to tell.

    Months are exported from `first_month` on, each once.
    """

    id = models.CharField(max_length=30, primary_key=True, default=schedule_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    kinds = ArrayField(models.CharField(max_length=20))
    format = models.CharField(max_length=10)
    trigger = models.CharField(max_length=11, choices=Trigger.choices, default=Trigger.AFTER_CLOSE)
    #: A day of the next month, in UTC, where `trigger` is a day.
    day = models.SmallIntegerField(null=True, blank=True)
    mail_to = ArrayField(models.EmailField(), default=list, blank=True)
    first_month = models.CharField(max_length=7)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(trigger="after_close", day=None) | Q(trigger="day", day__gte=1, day__lte=28),
                name="a_day_where_there_is_one",
            )
        ]

    def __str__(self) -> str:
        return f"{', '.join(self.kinds)} as {self.format}"


class Export(models.Model):
    """Files made of one month's data. Whoever works on it holds its row, so that a killed worker lets go of it.

    `manifest` says what was written: files with their sizes, checksums and rows, and what the tables come to. One of a
    schedule is also delivered: `deliver_at` is when to try (again).
    """

    id = models.CharField(max_length=30, primary_key=True, default=export_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    schedule = models.ForeignKey(ExportSchedule, on_delete=models.SET_NULL, null=True, related_name="exports")
    kinds = ArrayField(models.CharField(max_length=20))
    format = models.CharField(max_length=10)
    month = models.CharField(max_length=7)
    customer = models.CharField(max_length=128, blank=True)
    invoice_status = models.CharField(max_length=15, blank=True)
    mail_to = ArrayField(models.EmailField(), default=list, blank=True)
    status = models.CharField(max_length=10, choices=ExportStatus.choices, default=ExportStatus.QUEUED)
    failure_code = models.CharField(max_length=60, blank=True)
    failure_detail = models.TextField(blank=True)
    manifest = models.JSONField(default=dict)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    deliver_at = models.DateTimeField(null=True)
    delivery_attempts = models.SmallIntegerField(default=0)
    delivery_problem = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True)
    #: When its files go.
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "month"], name="a_schedule_exports_a_month_once"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(status="queued"), name="exports_to_work"),
            models.Index(fields=["deliver_at"], condition=Q(deliver_at__isnull=False), name="exports_to_deliver"),
            models.Index(fields=["expires_at"], condition=Q(status="succeeded"), name="exports_to_remove"),
        ]

    def __str__(self) -> str:
        return f"{', '.join(self.kinds)} of {self.month}"

    @property
    def rows(self) -> int:
        """How many rows were written; until it is finished, as far as was noted."""
        if self.status == ExportStatus.QUEUED:
            return int(self.progress.rows)
        return sum(table["rows"] for table in self.manifest.get("tables", []))

    @property
    def state(self) -> str:
        """`status`, or `running` while somebody works on it."""
        is_running = self.status == ExportStatus.QUEUED and self.progress.started_at is not None
        return "running" if is_running else str(self.status)


class ExportProgress(models.Model):
    """How far an export is; beside it, because its own row is held by whoever works on it. `total` is None where it is
    not known beforehand."""

    export = models.OneToOneField(Export, on_delete=models.CASCADE, primary_key=True, related_name="progress")
    started_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "progress of exports"

    def __str__(self) -> str:
        return f"{self.rows} rows"
