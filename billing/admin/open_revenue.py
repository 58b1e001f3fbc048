from __future__ import annotations

from django.contrib import admin

from billing.models import OpenRevenue, OpenRevenueReader
from rest.admin import ReadOnlyAdmin


@admin.register(OpenRevenue)
class OpenRevenueAdmin(ReadOnlyAdmin):
    """Made from usage and prices: nothing here needs repair."""

    list_display = ("subscription", "organization", "currency", "is_stale", "priced_at")
    list_filter = ("is_stale", "organization")
    list_select_related = ("subscription__customer", "subscription__plan_version__plan", "organization")
    search_fields = ("=subscription__id", "=subscription__customer__key")
    ordering = ("-subscription_id",)


@admin.register(OpenRevenueReader)
class OpenRevenueReaderAdmin(ReadOnlyAdmin):
    list_display = ("organization", "snapshot")
    list_select_related = ("organization",)
    ordering = ("organization_id",)
