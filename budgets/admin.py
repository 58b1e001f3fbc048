from __future__ import annotations

from django.contrib import admin

from budgets.models import (
    Budget,
    Crossing,
    Entitlement,
    EvaluationMark,
    Feature,
    Hold,
    Reservation,
    RunningTotal,
)
from rest.admin import KeptAdmin, ReadOnlyAdmin


@admin.register(Budget)
class BudgetAdmin(ReadOnlyAdmin):
    """Budgets are made and changed by the API and the console, which keep their running totals in step."""

    list_display = ("key", "name", "organization", "scope", "measure", "amount", "period", "removed_at")
    list_select_related = ("organization",)
    list_filter = ("scope", "measure", "period")
    search_fields = ("=key", "=id")
    ordering = ("-id",)


@admin.register(Feature)
class FeatureAdmin(KeptAdmin):
    """What a feature is called may change."""

    list_display = ("key", "name", "organization", "meter")
    list_select_related = ("organization", "meter")
    search_fields = ("=key", "=id")
    ordering = ("-id",)
    fields = ("id", "organization", "key", "name", "meter", "created_at")
    readonly_fields = ("id", "organization", "key", "meter", "created_at")


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnlyAdmin):
    list_display = ("feature", "plan_version", "limit", "is_hard", "period")
    list_select_related = ("feature", "plan_version__plan")
    ordering = ("-id",)


@admin.register(RunningTotal)
class RunningTotalAdmin(ReadOnlyAdmin):
    list_display = ("id", "budget", "customer", "feature", "period_start", "used", "held", "stop_at", "evaluated_at")
    list_select_related = ("budget", "customer", "feature")
    ordering = ("-id",)


@admin.register(Crossing)
class CrossingAdmin(ReadOnlyAdmin):
    list_display = ("budget", "percent", "amount", "used", "period_start", "crossed_at")
    list_select_related = ("budget",)
    ordering = ("-id",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ("id", "customer", "agent", "meter", "quantity", "state", "created_at", "expires_at")
    list_select_related = ("customer",)
    list_filter = ("state",)
    search_fields = ("=id",)
    ordering = ("-id",)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("id", "reservation", "total", "amount", "is_settled")
    list_select_related = ("reservation", "total")
    ordering = ("-id",)


@admin.register(EvaluationMark)
class EvaluationMarkAdmin(ReadOnlyAdmin):
    list_display = ("organization", "position", "evaluated_at")
    list_select_related = ("organization",)
    ordering = ("organization_id",)
