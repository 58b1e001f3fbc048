"""Projections of the log: tasks with their counts, calls of models, and sums of both. All can be made anew from it."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from rest.columns import ExactDecimalField

# No foreign key, as in the log: a check for each row would cost more than it protects.
_ORGANIZATION: dict[str, Any] = {"on_delete": models.DO_NOTHING, "db_constraint": False, "db_index": False}


class TaskProjection(models.Model):
    """How far an organization's projection has come in the log (`metering.facade.LogPosition`)."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    xid = models.BigIntegerField(default=0)
    identity = models.UUIDField(default="00000000-0000-0000-0000-000000000000")
    is_correction = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"up to {self.xid}"


class TaskSummary(models.Model):
    """A task, as the events that name it tell. `task_key` is the hash of `task_id`, which can be long.

    Counts leave out what was taken back, and what belongs to discarded attempts. `said` is what the first event said
    of whose it is, and `ends` holds the events that said
    how it ended, with how often each counts, by identity; `outcome` and `ended_at` are those of the latest.
    `transactions` are those in which its events came, the first `agents.domain.summaries.MOST_TRANSACTIONS` of them.
    """

    organization = models.ForeignKey("accounts.Organization", related_name="+", **_ORGANIZATION)
    task_key = models.UUIDField()
    task_id = models.TextField()
    customer = models.TextField(null=True)
    agent = models.TextField(null=True)
    agent_version = models.TextField(null=True)
    goal = models.TextField(null=True)
    is_test = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    latest_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.TextField(null=True)
    outcome_source = models.TextField(null=True)
    turns = models.IntegerField(default=0)
    decisions = models.IntegerField(default=0)
    tool_calls = models.IntegerField(default=0)
    inference_calls = models.IntegerField(default=0)
    attempts = models.IntegerField(default=1)
    events = models.IntegerField(default=0)
    said = models.JSONField(default=dict)
    ends = models.JSONField(default=dict)
    transactions = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        verbose_name_plural = "task summaries"
        constraints = [models.UniqueConstraint(fields=["organization", "task_key"], name="one_summary_per_task")]
        indexes = [
            models.Index(fields=["organization", "started_at", "task_key"], name="task_by_start"),
            models.Index(fields=["organization", "customer", "started_at"], name="task_by_customer"),
            models.Index(fields=["organization", "agent", "started_at"], name="task_by_agent"),
            models.Index(
                fields=["organization", "ended_at"],
                include=["agent", "customer", "outcome", "is_test"],
                name="task_by_end",
            ),
        ]

    def __str__(self) -> str:
        return self.task_id


class CallUsage(models.Model):
    """What calls of one model used in one hour (UTC), for one task, customer and agent; `task_key` is null for no task.

    What they cost is worked out when it is asked for, from the rates in force in that hour. Calls whose cost was
    reported with them stand in rows of their own, which have `cost_currency`. `group_key` is the hash of all that
    is told apart but the hour. `is_first` marks the first hour with calls of a task's group: tasks are counted by it.
    """

    organization = models.ForeignKey("accounts.Organization", related_name="+", **_ORGANIZATION)
    group_key = models.UUIDField()
    hour = models.DateTimeField()
    task_key = models.UUIDField(null=True)
    customer = models.TextField(null=True)
    agent = models.TextField(null=True)
    provider = models.TextField()
    model = models.TextField()
    hardware = models.TextField()
    region = models.TextField(default="", db_default="")
    cost_currency = models.TextField(null=True)
    is_first = models.BooleanField(default=False, db_default=False)
    calls = models.BigIntegerField(default=0)
    input_tokens = ExactDecimalField(default=0)
    cached_input_tokens = ExactDecimalField(default=0)
    cache_write_tokens = ExactDecimalField(default=0)
    output_tokens = ExactDecimalField(default=0)
    compute_seconds = ExactDecimalField(default=0)
    cost = ExactDecimalField(default=0)

    class Meta:
        verbose_name_plural = "usage of calls"
        constraints = [
            models.UniqueConstraint(fields=["organization", "group_key", "hour"], name="one_row_per_hour_and_group")
        ]
        indexes = [
            models.Index(fields=["organization", "task_key"], name="calls_of_task"),
            models.Index(fields=["organization", "hour"], name="calls_by_hour"),
            models.Index(fields=["organization", "customer", "hour"], name="calls_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.hour:%Y-%m-%d %H}:00"


class EndedDay(models.Model):
    """How many tasks ended on one day (UTC) by agent and outcome, those of tests left out: dashboards read it.

    `kind_key` is the hash of both, which are "" where none is named.
    """

    organization = models.ForeignKey("accounts.Organization", related_name="+", **_ORGANIZATION)
    kind_key = models.UUIDField()
    day = models.DateTimeField(help_text="the midnight (UTC) it begins with")
    agent = models.TextField()
    outcome = models.TextField()
    tasks = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "days of ended tasks"
        constraints = [
            models.UniqueConstraint(fields=["organization", "day", "kind_key"], name="one_row_per_day_and_outcome")
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.day:%Y-%m-%d} {self.outcome}"


class SummedCalls(models.Model):
    """What calls of one kind used in a stretch of time. `kind_key` is the hash of all that is told apart but that.

    `tasks` are those whose first call of one group of `CallUsage` was in the stretch.
    """

    organization = models.ForeignKey("accounts.Organization", related_name="+", **_ORGANIZATION)
    kind_key = models.UUIDField()
    provider = models.TextField()
    model = models.TextField()
    hardware = models.TextField()
    region = models.TextField()
    cost_currency = models.TextField(null=True)
    tasks = models.BigIntegerField(default=0)
    calls = models.BigIntegerField(default=0)
    input_tokens = ExactDecimalField(default=0)
    cached_input_tokens = ExactDecimalField(default=0)
    cache_write_tokens = ExactDecimalField(default=0)
    output_tokens = ExactDecimalField(default=0)
    compute_seconds = ExactDecimalField(default=0)
    cost = ExactDecimalField(default=0)

    class Meta:
        abstract = True


class CallHour(SummedCalls):
    """What calls of one kind used in one hour (UTC): `CallUsage` summed over customers and tasks.

    Dashboards read it: it does not grow with the number of tasks.
    """

    agent = models.TextField(null=True)
    hour = models.DateTimeField()

    class Meta:
        verbose_name_plural = "hours of calls"
        constraints = [
            models.UniqueConstraint(fields=["organization", "hour", "kind_key"], name="one_row_per_hour_and_kind")
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.hour:%Y-%m-%d %H}:00"


class CallDay(SummedCalls):
    """`CallHour` summed over each day of UTC, for days that need not be told apart by the hour."""

    agent = models.TextField(null=True)
    day = models.DateTimeField(help_text="the midnight (UTC) it begins with")

    class Meta:
        verbose_name_plural = "days of calls"
        constraints = [
            models.UniqueConstraint(fields=["organization", "day", "kind_key"], name="one_row_per_day_and_kind")
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.day:%Y-%m-%d}"


class CallMonth(SummedCalls):
    """`CallUsage` of one customer summed over each month of UTC and over agents: what each customer cost."""

    customer = models.TextField(null=True)
    month = models.DateTimeField(help_text="the midnight (UTC) it begins with")

    class Meta:
        verbose_name_plural = "months of calls"
        constraints = [
            models.UniqueConstraint(fields=["organization", "month", "kind_key"], name="one_row_per_month_and_kind")
        ]
        indexes = [models.Index(fields=["organization", "customer", "month"], name="months_by_customer")]

    def __str__(self) -> str:
        return f"{self.customer} {self.month:%Y-%m}"
