from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.clock import system_clock
from kernel.errors import InvalidError
from metering.api import serializers as shapes
from metering.api.binary import structured
from metering.api.bodies import MEDIA_TYPES, ONE_EVENT, is_binary, prefers_strict, read_body
from metering.api.doors import Door
from metering.api.questions import event_question, usage_question
from metering.contracts import BatchRejected
from metering.queries.events import list_events
from metering.queries.meters import get_meter, meters_of, projection_progress
from metering.queries.usage import usage
from metering.services.corrections import amend_event
from metering.services.ingest import ingest_body
from metering.services.meters import create_meter, create_meter_version
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import limit_of, page
from rest.problems import problem_of
from rest.renderers import encode_json
from rest.schema import page_of


class EventsView(Door):
    """The door for CloudEvents, and the list of what came through it."""

    required_permission = {"POST": Permission.SEND_EVENTS}
    takes_customer_keys = True
    answers = {"GET": page_of(shapes.EventAnswer)}
    filters = ("customer", "type", "agent", "task_id", "sent_by", "from", "to")

    @extend_schema(
        description="One CloudEvent, structured or in binary mode (attributes in `ce-` headers), or an array of them.",
        request=dict.fromkeys(MEDIA_TYPES, dict),
        responses=shapes.IngestAnswer,
        parameters=[
            OpenApiParameter(
                "backfill", bool, description="These events are history: their times may lie more than a year back."
            )
        ],
    )
    def post(self, request: Any) -> HttpResponse:
        content_type = request.content_type
        in_headers = is_binary(request.headers, content_type)
        body = read_body(request, None if in_headers else MEDIA_TYPES)
        if in_headers:
            body = structured(request.headers, content_type, body)
        strict = prefers_strict(request.headers)
        try:
            result = ingest_body(
                organization_id=request.auth.organization_id,
                body=body,
                received_at=system_clock(),
                strict=strict,
                only_customer=request.auth.customer,
                backfill=_is_backfill(request),
            )
            is_one = in_headers or content_type == ONE_EVENT
            if is_one and result.rejected and not (result.accepted or result.duplicates or result.quarantined):
                raise BatchRejected(result)  # a sender of one event looks at the status alone
        except BatchRejected as error:
            rejected = msgspec.to_builtins(error.result.rejected)
            problem = problem_of(error) | {"accepted": 0, "duplicates": 0, "rejected": rejected}
            return HttpResponse(encode_json(problem), status=422, content_type="application/problem+json")
        response = HttpResponse(msgspec.json.encode(result), content_type="application/json")
        if strict:
            response["Preference-Applied"] = "handling=strict"
        return response

    def get(self, request: Any) -> Response:
        question = event_question(request.auth.organization_id, request.query_params)
        events, following = list_events(
            question, limit=limit_of(request.query_params), cursor=request.query_params.get("cursor")
        )
        return Response({"data": [shapes.present_event(event) for event in events], "next_cursor": following})


def _is_backfill(request: Any) -> bool:
    """The parameter `backfill`, `true` or `false`; `InvalidError` for anything else."""
    said = request.GET.get("backfill", "false")
    if said not in {"true", "false"}:
        raise InvalidError("backfill is true or false", code="backfill_invalid")
    return bool(said == "true")


class AmendView(APIView):
    """Takes an event back and writes another in its place, both or neither."""

    required_permission = Permission.BUILD

    @extend_schema(request=shapes.AmendInput)
    def post(self, request: Any) -> Response:
        body = shapes.AmendInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data
        correction = amend_event(
            organization_id=request.auth.organization_id,
            source=fields["source"],
            event_id=fields["id"],
            reason=fields["reason"],
            replacement=fields["event"],
            at=system_clock(),
        )
        return Response(
            {
                "id": correction.id,
                "reason": correction.reason,
                "created_at": correction.created_at,
                "replacement": {"source": fields["event"]["source"], "id": fields["event"]["id"]},
            }
        )


class MetersView(APIView):
    required_permission = {"POST": Permission.BUILD}
    statuses = {"POST": 201}
    answers = {"GET": page_of(shapes.MeterAnswer), "POST": shapes.MeterAnswer}

    def get(self, request: Any) -> Response:
        return Response(page(meters_of(request.auth.organization_id), request.query_params, shapes.present_meter))

    @extend_schema(request=shapes.MeterInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = shapes.MeterInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data
        version = create_meter(
            organization_id=request.auth.organization_id,
            key=fields["key"],
            name=fields.get("name") or fields["key"],
            unit=fields["unit"],
            definition=fields,
        )
        return Response(shapes.present_meter(version.meter), status=201)


class MeterView(APIView):
    answers = {"GET": shapes.MeterWithProjection}

    def get(self, request: Any, meter: str) -> Response:
        found = get_meter(organization_id=request.auth.organization_id, meter=meter)
        return Response(shapes.present_meter(found) | {"projection": projection_progress(found)})


class MeterVersionsView(APIView):
    """Changes what a meter computes, from its first event on."""

    required_permission = Permission.BUILD
    statuses = {"POST": 201}
    answers = {"POST": shapes.MeterAnswer}

    @extend_schema(request=shapes.DefinitionInput)
    @idempotent
    def post(self, request: Any, meter: str) -> Response:
        body = shapes.DefinitionInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_meter(organization_id=request.auth.organization_id, meter=meter)
        create_meter_version(meter=found, definition=body.validated_data)
        shown = get_meter(organization_id=request.auth.organization_id, meter=meter)
        return Response(shapes.present_meter(shown), status=201)


class UsageView(APIView):
    """A meter's quantities: exact the moment ingest has answered."""

    answers = {"GET": shapes.UsageAnswer}
    open_parameters = True  # the meter's dimensions
    filters = ("from", "to", "window", "timezone", "customer", "group_by")

    def get(self, request: Any, meter: str) -> Response:
        found = get_meter(organization_id=request.auth.organization_id, meter=meter)
        question = usage_question(found, request.query_params)
        rows = usage(question)
        return Response(
            {
                "meter": found.key,
                "from": question.period.start,
                "to": question.period.end,
                "window": question.window,
                "timezone": question.timezone,
                "data": [
                    shapes.present_usage(row, grouped=bool(question.group_by), by_customer=question.by_customer)
                    for row in rows
                ],
            }
        )
