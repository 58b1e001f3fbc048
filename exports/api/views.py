from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from exports.api import answers, present
from exports.api.serializers import ExportInput, ScheduleChange, ScheduleInput
from exports.queries import exports_of, get_export, get_schedule, schedules_of
from exports.services.fetching import file_to_fetch
from exports.services.schedules import change_schedule, create_schedule
from exports.services.starting import start_export
from exports.tasks import work_export
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.period import Month
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as error:
        raise InvalidError(str(error), code="month_invalid") from None


class ExportsView(APIView):
    """A month's data as files, made in the background; newest first."""

    required_permission = {"POST": Permission.EXPORT}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.Export), "POST": answers.Export}

    def get(self, request: Any) -> Response:
        found = exports_of(request.auth.organization_id)
        return Response(page(found, request.query_params, present.export, newest_first=True))

    @extend_schema(request=ExportInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = ExportInput(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        with transaction.atomic():
            export = start_export(
                organization=request.auth.organization,
                month=_month(asked.pop("month")),
                now=system_clock(),
                created_by=request.auth.pk,
                **asked,
            )
            # Should the broker be away, the export stays queued and beat's next look finds it.
            transaction.on_commit(partial(work_export.delay, export_id=export.pk), robust=True)
        return Response(present.export(export), status=201)


class ExportView(APIView):
    answers = {"GET": answers.Export}

    def get(self, request: Any, export: str) -> Response:
        return Response(present.export(get_export(organization_id=request.auth.organization_id, export=export)))


#: The media types of files, by their endings.
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}


class DownloadView(APIView):
    """The export's file; of several, an archive of all, or the one named by `file`."""

    filters = ("file",)

    @extend_schema(
        responses={
            (200, one): OpenApiTypes.ANY if one == "application/json" else OpenApiTypes.BINARY
            for one in _MEDIA_TYPES.values()
        }
    )
    def get(self, request: Any, export: str) -> FileResponse:
        found = get_export(organization_id=request.auth.organization_id, export=export)
        return fetched(file_to_fetch(found, request.query_params.get("file")))


def fetched(path: Any) -> FileResponse:
    """A file as it is sent: in pieces, to be saved under its name."""
    media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    answer = FileResponse(path.open("rb"), as_attachment=True, filename=path.name, content_type=media_type)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


class SchedulesView(APIView):
    """Exports that start by themselves every month."""

    required_permission = {"POST": Permission.EXPORT}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.ExportSchedule), "POST": answers.ExportSchedule}

    def get(self, request: Any) -> Response:
        return Response(page(schedules_of(request.auth.organization_id), request.query_params, present.schedule))

    @extend_schema(request=ScheduleInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = ScheduleInput(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        first = asked.pop("first_month", None)
        made = create_schedule(
            organization=request.auth.organization,
            now=system_clock(),
            first_month=_month(first) if first else None,
            **asked,
        )
        return Response(present.schedule(made), status=201)


class ScheduleView(APIView):
    required_permission = {"PATCH": Permission.EXPORT}
    answers = {"GET": answers.ExportSchedule, "PATCH": answers.ExportSchedule}

    def get(self, request: Any, schedule: str) -> Response:
        return Response(present.schedule(get_schedule(organization_id=request.auth.organization_id, schedule=schedule)))

    @extend_schema(request=ScheduleChange)
    def patch(self, request: Any, schedule: str) -> Response:
        body = ScheduleChange(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_schedule(organization_id=request.auth.organization_id, schedule=schedule)
        names = ("kinds", "format", "day", "mail_to", "active")
        present_values = {name: getattr(found, name) for name in names}
        return Response(present.schedule(change_schedule(schedule=found, **(present_values | body.validated_data))))
