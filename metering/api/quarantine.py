"""Events that cannot be right: their list, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.clock import system_clock
from kernel.errors import InvalidError
from metering.models import QuarantinedEvent, QuarantineState
from metering.queries.quarantine import quarantined_events
from metering.services.quarantine_decisions import discard_event, release_event
from rest.access import Permission
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import AnyField, CustomerKeyField, InstantField, StrictSerializer

_ALL = "all"


class QuarantinedEventAnswer(serializers.Serializer[Any]):
    """What `present_quarantined` gives. `id` is the quarantine's, `event` the event as it was sent.
    `decision_reason` is there where it was voided."""

    id = serializers.CharField()
    state = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    received_at = InstantField()
    sent_by = serializers.CharField(allow_null=True)
    decided_at = InstantField(allow_null=True)
    decision_reason = serializers.CharField(allow_null=True)
    event = serializers.DictField(child=AnyField())


class ReleaseInput(StrictSerializer):
    customer = CustomerKeyField(required=False, allow_null=True)


class QuarantinedEventsView(APIView):
    """Events that cannot be right: kept, and counted nowhere until they are released. `state` is `quarantined` where it
    is left out; `all` lists those that were released and discarded, too."""

    answers = {"GET": page_of(QuarantinedEventAnswer)}
    filters = ("state", "code", "customer")

    def get(self, request: Any) -> Response:
        asked = request.query_params
        rows = quarantined_events(request.auth.organization_id, state=_state(asked))
        if code := asked.get("code"):
            rows = rows.filter(reason=_text(code, "code"))
        if customer := asked.get("customer"):
            rows = rows.filter(subject=_text(customer, "customer"))
        return Response(page(rows, asked, present_quarantined))


class ReleaseView(APIView):
    """Counts an event in quarantine from now on, for `customer` where that is given."""

    required_permission = Permission.BUILD
    answers = {"POST": QuarantinedEventAnswer}

    @extend_schema(request=ReleaseInput)
    def post(self, request: Any, event: str) -> Response:
        body = ReleaseInput(data=request.data)
        body.is_valid(raise_exception=True)
        released = release_event(
            organization_id=request.auth.organization_id,
            event=event,
            customer=body.validated_data.get("customer"),
            at=system_clock(),
        )
        return Response(present_quarantined(released))


class DiscardView(APIView):
    """Decides that an event in quarantine never counts."""

    required_permission = Permission.BUILD
    answers = {"POST": QuarantinedEventAnswer}

    @extend_schema(request=None)
    def post(self, request: Any, event: str) -> Response:
        discarded = discard_event(organization_id=request.auth.organization_id, event=event, at=system_clock())
        return Response(present_quarantined(discarded))


def present_quarantined(one: QuarantinedEvent) -> dict[str, Any]:
    return {
        "id": one.pk,
        "state": one.state,
        "code": one.reason,
        "detail": one.detail,
        "received_at": one.received_at,
        "sent_by": one.sent_by,
        "decided_at": one.decided_at,
        "decision_reason": one.decision_reason or None,
        "event": {
            "specversion": "1.0",
            "id": one.event_id,
            "source": one.source,
            "type": one.type,
            "subject": one.subject,
            "time": one.time,
            "subscription": one.subscription,
            "data": one.data,
        },
    }


def _state(asked: Mapping[str, str]) -> str | None:
    state = asked.get("state") or QuarantineState.QUARANTINED
    if state == _ALL:
        return None
    if state not in QuarantineState.values:
        raise InvalidError(f"state is one of {', '.join(QuarantineState.values)}, {_ALL}", code="state_invalid")
    return state


def _text(value: str, name: str) -> str:
    if any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in value):
        raise InvalidError(f"{name} must be text without the character U+0000", code=f"{name}_invalid")
    return value
