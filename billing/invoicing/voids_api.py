"""Taking usage back: one event, or all that one sender sent."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.invoicing.sender_voids import VoidPreview, preview_sender_void, void_sent_by
from kernel.clock import system_clock
from kernel.errors import FieldError, InvalidError
from kernel.period import Period
from metering.facade import VoidRun, void_event, void_runs_of, work_void_run_later
from rest.access import Permission
from rest.lookup import find
from rest.pagination import page
from rest.permissions import require_permission
from rest.schema import page_of
from rest.serializers import DecimalField, InstantField, StrictSerializer

_SOME = 100


class VoidInput(StrictSerializer):
    """One event by `source` and `id`, or all of a sender by `sent_by`, `from` and `to`. Only a preview needs no
    `reason`."""

    many_lines = ("reason",)
    as_sent = ("source", "id")

    source = serializers.CharField(max_length=1024, required=False)  # type: ignore[assignment]
    id = serializers.CharField(max_length=1024, required=False)
    sent_by = serializers.CharField(max_length=200, required=False)
    reason = serializers.CharField(max_length=1000, required=False)
    preview = serializers.BooleanField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name a class can have."""
        return super().get_fields() | {"from": InstantField(required=False), "to": InstantField(required=False)}


class CorrectionAnswer(serializers.Serializer[Any]):
    id = serializers.CharField()
    reason = serializers.CharField()
    created_at = InstantField()


class _Sent(serializers.Serializer[Any]):
    sent_by = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        """As above."""
        return super().get_fields() | {"from": InstantField(), "to": InstantField()}


class VoidRunAnswer(_Sent):
    """`voided` of `events` are taken back so far; `status` is `running` or `finished`."""

    id = serializers.CharField()
    reason = serializers.CharField()
    status = serializers.ChoiceField(["running", "finished"])
    events = serializers.IntegerField()
    voided = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)


class ShareOfCustomer(serializers.Serializer[Any]):
    customer = serializers.CharField(allow_null=True)
    events = serializers.IntegerField()


class ShareOfType(serializers.Serializer[Any]):
    type = serializers.CharField()
    events = serializers.IntegerField()


class ShareOfMeter(serializers.Serializer[Any]):
    """The meter's aggregation over the events to void: what usage falls by, of a sum or a count."""

    meter = serializers.CharField()
    unit = serializers.CharField()
    aggregation = serializers.CharField()
    events = serializers.IntegerField()
    quantity = DecimalField(allow_null=True)


class VoidPreviewAnswer(_Sent):
    """`events` were sent, `already_voided` of them are taken back, `to_void` would be; `on_issued_invoices` of these
    were counted by invoices that are issued, and `quarantined` of these are in quarantine, and would be discarded. The
    lists count what would be taken back, the first 100 customers."""

    preview = serializers.BooleanField()
    events = serializers.IntegerField()
    already_voided = serializers.IntegerField()
    to_void = serializers.IntegerField()
    on_issued_invoices = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    first_received_at = InstantField(allow_null=True)
    last_received_at = InstantField(allow_null=True)
    first_time = InstantField(allow_null=True)
    last_time = InstantField(allow_null=True)
    customer_count = serializers.IntegerField()
    customers = ShareOfCustomer(many=True)
    types = ShareOfType(many=True)
    meters = ShareOfMeter(many=True)


class VoidAnswer(serializers.Serializer[Any]):
    """Of one event the correction (`id`, `reason`, `created_at`), of a sender the preview or the run."""

    def get_fields(self) -> dict[str, Any]:
        """The fields of all three, none of which is always there."""
        fields = CorrectionAnswer().get_fields() | VoidPreviewAnswer().get_fields() | VoidRunAnswer().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class VoidView(APIView):
    required_permission = Permission.VOID_EVENTS

    @extend_schema(request=VoidInput, responses=VoidAnswer)
    def post(self, request: Any) -> Response:
        """Take one event back, or all that one sender sent: received in [`from`, `to`), whatever the events' times.
        Events in quarantine are discarded.

        With `preview` nothing is changed, and the answer says what would be. Without, a run takes them back; asked
        again, it answers the same run. `GET /api/v1/void_runs/{id}` has its progress.
        """
        body = VoidInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data
        if "sent_by" in fields:
            require_permission(request.auth, Permission.MOVE_MONEY)
            return _void_sent(request.auth.organization_id, fields)
        _require(fields, ("source", "id", "reason"), not_with="from to preview")
        correction = void_event(
            organization_id=request.auth.organization_id,
            source=fields["source"],
            event_id=fields["id"],
            reason=fields["reason"],
            at=system_clock(),
        )
        return Response({"id": correction.id, "reason": correction.reason, "created_at": correction.created_at})


class VoidRunsView(APIView):
    answers = {"GET": page_of(VoidRunAnswer)}

    def get(self, request: Any) -> Response:
        return Response(page(void_runs_of(request.auth.organization_id), request.query_params, present_void_run))


class VoidRunView(APIView):
    answers = {"GET": VoidRunAnswer}

    def get(self, request: Any, run: str) -> Response:
        return Response(present_void_run(find(void_runs_of(request.auth.organization_id), run, what="void_run")))


def _void_sent(organization_id: int, fields: dict[str, Any]) -> Response:
    needed = ("from", "to") if fields.get("preview") else ("from", "to", "reason")
    _require(fields, needed, not_with="source id")
    if fields["from"] >= fields["to"]:
        raise InvalidError("from must be before to", code="period_invalid")
    received = Period(fields["from"], fields["to"])
    if fields.get("preview"):
        found = preview_sender_void(organization_id=organization_id, sent_by=fields["sent_by"], received=received)
        return Response(_period(fields["sent_by"], received) | _present_preview(found))
    run = void_sent_by(
        organization_id=organization_id,
        sent_by=fields["sent_by"],
        received=received,
        reason=fields["reason"],
        now=system_clock(),
    )
    if run.finished_at is None:  # should the broker be away, beat's next look finds it
        transaction.on_commit(partial(work_void_run_later, run.pk), robust=True)
    return Response(present_void_run(run))


def _require(fields: dict[str, Any], needed: tuple[str, ...], *, not_with: str) -> None:
    errors = [FieldError(f"/{name}", "required", "This field is required") for name in needed if name not in fields]
    errors += [
        FieldError(f"/{name}", "not_allowed", "Give source and id of one event, or sent_by, from and to")
        for name in not_with.split()
        if name in fields
    ]
    if errors:
        detail = "Give source, id and reason of one event, or sent_by, from, to and reason"
        raise InvalidError(detail, code="invalid", errors=errors)


def _period(sent_by: str, received: Period) -> dict[str, Any]:
    return {"sent_by": sent_by, "from": received.start, "to": received.end}


def present_void_run(run: VoidRun) -> dict[str, Any]:
    names = ("id", "reason", "events", "voided", "created_by", "created_at", "finished_at")
    status = "running" if run.finished_at is None else "finished"
    return (
        _period(run.sent_by, Period(run.start, run.end))
        | {"status": status}
        | {name: getattr(run, name) for name in names}
    )


def _present_preview(found: VoidPreview) -> dict[str, Any]:
    sent = found.sent
    return {
        "preview": True,
        "events": sent.events,
        "already_voided": sent.voided,
        "to_void": sent.events - sent.voided,
        "on_issued_invoices": found.billed,
        "quarantined": sent.quarantined,
        "first_received_at": sent.first_received_at,
        "last_received_at": sent.last_received_at,
        "first_time": sent.first_time,
        "last_time": sent.last_time,
        "customer_count": len(sent.customers),
        "customers": [{"customer": customer, "events": events} for customer, events in sent.customers[:_SOME]],
        "types": [{"type": type_, "events": events} for type_, events in sent.types[:_SOME]],
        "meters": [
            {name: getattr(one, name) for name in ("meter", "unit", "aggregation", "events", "quantity")}
            for one in sent.meters
        ],
    }
