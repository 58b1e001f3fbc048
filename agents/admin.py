from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agents.models import (
    Agent,
    AgentVersion,
    CallDay,
    CallHour,
    CallMonth,
    CallUsage,
    CostRate,
    EndedDay,
    Provider,
    Task,
    TaskAttempt,
    TaskProjection,
    TaskSummary,
)
from rest.admin import KeptAdmin, OperatorAdmin, ReadOnlyAdmin, ReadOnlyInline


class AgentVersionInline(ReadOnlyInline):
    model = AgentVersion
    fields = ("version", "definition", "created_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("agent")


@admin.register(Agent)
class AgentAdmin(KeptAdmin):
    """What an agent is called may change. Agents and versions come to be where they work, not here."""

    list_display = ("name", "key", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)
    fields = ("id", "organization", "key", "name", "description", "created_at")
    readonly_fields = ("id", "organization", "key", "created_at")
    inlines = (AgentVersionInline,)


@admin.register(AgentVersion)
class AgentVersionAdmin(ReadOnlyAdmin):
    list_display = ("agent", "version", "created_at")
    list_select_related = ("agent",)
    search_fields = ("=agent__key", "=version")
    ordering = ("-id",)


@admin.register(Provider)
class ProviderAdmin(OperatorAdmin):
    """Servers our agents may be run on: for operators alone, since requests with their keys go there."""

    list_display = ("name", "key", "address", "hardware", "has_log_probabilities")
    ordering = ("key",)


@admin.register(CostRate)
class CostRateAdmin(OperatorAdmin):
    """A rate that is wrong is put right here; a price that changes is another rate."""

    list_display = (
        "model",
        "provider",
        "hardware",
        "organization",
        "input_per_million",
        "output_per_million",
        "compute_second",
        "effective_from",
        "source",
    )
    list_select_related = ("organization",)
    list_filter = ("provider",)
    search_fields = ("model", "=provider", "=hardware")
    ordering = ("model", "-effective_from", "id")


class TaskAttemptInline(ReadOnlyInline):
    model = TaskAttempt
    fields = ("number", "state", "problem", "started_at", "ended_at")


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("task_id", "agent_version", "customer", "state", "outcome", "problem", "created_at")
    list_filter = ("state",)
    list_select_related = ("agent_version__agent",)
    search_fields = ("=task_id", "=customer")
    ordering = ("-id",)
    inlines = (TaskAttemptInline,)


@admin.register(TaskAttempt)
class TaskAttemptAdmin(ReadOnlyAdmin):
    list_display = ("task", "number", "state", "problem", "started_at", "ended_at")
    list_select_related = ("task",)
    search_fields = ("=task__task_id",)
    ordering = ("-id",)


@admin.register(TaskProjection)
class TaskProjectionAdmin(ReadOnlyAdmin):
    list_display = ("organization", "xid")
    list_select_related = ("organization",)
    ordering = ("organization_id",)


@admin.register(TaskSummary)
class TaskSummaryAdmin(ReadOnlyAdmin):
    list_display = ("task_id", "customer", "agent", "outcome", "turns", "decisions", "attempts", "started_at")
    search_fields = ("=task_id",)
    ordering = ("-started_at", "-id")


@admin.register(CallUsage)
class CallUsageAdmin(ReadOnlyAdmin):
    list_display = ("hour", "model", "provider", "hardware", "customer", "agent", "calls", "output_tokens")
    ordering = ("-hour", "-id")


class SumsAdmin(ReadOnlyAdmin):
    """Summed up from calls and from the summaries of tasks: nothing here needs repair."""

    list_filter = ("organization",)
    list_select_related = ("organization",)
    sortable_by = ()


@admin.register(CallHour)
class CallHourAdmin(SumsAdmin):
    list_display = ("hour", "organization", "model", "provider", "hardware", "agent", "calls", "output_tokens")
    ordering = ("-organization", "-hour", "-kind_key")


@admin.register(CallDay)
class CallDayAdmin(SumsAdmin):
    list_display = ("day", "organization", "model", "provider", "hardware", "agent", "calls", "output_tokens")
    ordering = ("-organization", "-day", "-kind_key")


@admin.register(CallMonth)
class CallMonthAdmin(SumsAdmin):
    list_display = ("month", "organization", "customer", "model", "provider", "hardware", "calls", "output_tokens")
    ordering = ("-organization", "-month", "-kind_key")


@admin.register(EndedDay)
class EndedDayAdmin(SumsAdmin):
    list_display = ("day", "organization", "agent", "outcome", "tasks")
    ordering = ("-organization", "-day", "-kind_key")
