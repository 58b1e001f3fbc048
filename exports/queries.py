from __future__ import annotations

from django.db.models import QuerySet

from exports.models import Export, ExportSchedule
from rest.lookup import find


def exports_of(organization_id: int) -> QuerySet[Export]:
    """The organization's exports with how far they are."""
    return Export.objects.filter(organization_id=organization_id).select_related("progress").order_by("id")


def get_export(*, organization_id: int, export: str) -> Export:
    """The export with this id; `NotFoundError` with code `export_not_found`."""
    return find(exports_of(organization_id), export, what="export")


def schedules_of(organization_id: int) -> QuerySet[ExportSchedule]:
    """The organization's schedules, in the order in which they were made."""
    return ExportSchedule.objects.filter(organization_id=organization_id).order_by("id")


def get_schedule(*, organization_id: int, schedule: str) -> ExportSchedule:
    """The schedule with this id; `NotFoundError` with code `export_schedule_not_found`."""
    return find(schedules_of(organization_id), schedule, what="export_schedule")
