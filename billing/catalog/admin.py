"""Admin of plans, versions and prices."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing.models import Plan, PlanMigration, PlanVersion, Price, PricingUnit
from rest.admin import KeptAdmin, ReadOnlyAdmin, ReadOnlyInline


class PlanVersionInline(ReadOnlyInline):
    model = PlanVersion
    fields = ("number", "currency", "interval", "created_at")
    show_change_link = True


@admin.register(Plan)
class PlanAdmin(KeptAdmin):
    """What a plan is called may change; prices stand in versions, which are made through the API."""

    list_display = ("name", "key", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)
    fields = ("id", "organization", "key", "name", "created_at")
    readonly_fields = ("id", "organization", "key", "created_at")
    inlines = (PlanVersionInline,)


class PriceInline(ReadOnlyInline):
    model = Price
    fields = (
        *("key", "name", "kind", "meter", "filter", "included", "minimum", "maximum", "prorate"),
        *("pricing_unit", "unit_rate", "model"),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("meter", "pricing_unit")


@admin.register(PlanVersion)
class PlanVersionAdmin(ReadOnlyAdmin):
    list_display = ("plan", "number", "currency", "interval", "created_at")
    list_select_related = ("plan",)
    search_fields = ("plan__name", "=plan__key", "=id")
    ordering = ("-id",)
    inlines = (PriceInline,)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    list_display = ("name", "key", "plan_version", "kind", "meter")
    list_filter = ("kind",)
    list_select_related = ("plan_version__plan", "meter")
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)


@admin.register(PricingUnit)
class PricingUnitAdmin(ReadOnlyAdmin):
    list_display = ("name", "key", "organization", "currency", "rate")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)


@admin.register(PlanMigration)
class PlanMigrationAdmin(ReadOnlyAdmin):
    list_display = ("plan", "to_version", "organization", "when", "status", "moved", "total", "actor", "created_at")
    list_filter = ("status", "organization")
    list_select_related = ("plan", "to_version__plan", "organization")
    search_fields = ("=id", "=plan__key", "=actor")
    ordering = ("-id",)
