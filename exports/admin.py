from __future__ import annotations

from django.contrib import admin

from exports.models import Export, ExportProgress, ExportSchedule
from rest.admin import OperatorAdmin, ReadOnlyAdmin


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ("id", "organization", "kinds", "format", "month", "status", "created_at", "finished_at")
    list_filter = ("status", "format", "organization")
    list_select_related = ("organization",)
    search_fields = ("=id", "=month")
    ordering = ("-id",)


@admin.register(ExportProgress)
class ExportProgressAdmin(ReadOnlyAdmin):
    list_display = ("export", "started_at", "attempts", "rows", "total")
    list_select_related = ("export",)


@admin.register(ExportSchedule)
class ExportScheduleAdmin(OperatorAdmin):
    list_display = ("id", "organization", "kinds", "format", "trigger", "day", "active")
    list_filter = ("active", "organization")
    list_select_related = ("organization",)
