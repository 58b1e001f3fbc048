from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.serializers import CharField, IntegerField, Serializer
from rest_framework.views import APIView

from kernel.clock import system_clock
from kernel.errors import InvalidError
from notifications.api import webhooks
from notifications.models import DeliveryStatus
from notifications.queries.webhooks import deliveries_of, endpoints_of, get_delivery, get_endpoint
from notifications.services.endpoints import (
    create_endpoint,
    delete_endpoint,
    rotate_secret,
    send_test,
    update_endpoint,
)
from notifications.services.replaying import replay_delivery, replay_failed
from rest.access import Permission
from rest.idempotency import idempotent
from rest.lookup import instant_parameter
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import InstantField, StrictSerializer


class SinceInput(StrictSerializer):
    since = InstantField()


class CountAnswer(Serializer[Any]):
    deliveries = IntegerField()


class MessageAnswer(Serializer[Any]):
    message_id = CharField()
    type = CharField()


class EndpointsView(APIView):
    required_permission = {"GET": Permission.SEE_WEBHOOKS, "POST": Permission.MANAGE_WEBHOOKS}
    statuses = {"POST": 201}
    answers = {"GET": page_of(webhooks.EndpointAnswer), "POST": webhooks.NewSecretAnswer}

    def get(self, request: Any) -> Response:
        return Response(page(endpoints_of(request.auth.organization_id), request.query_params, webhooks.endpoint))

    @extend_schema(request=webhooks.EndpointInput)
    def post(self, request: Any) -> Response:
        # Not `idempotent`: the answer to a repetition is kept, and a secret is shown once.
        body = webhooks.EndpointInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        if fields.pop("enabled", True) is False:
            raise InvalidError("A new endpoint is enabled", code="enabled_invalid")
        endpoint = create_endpoint(
            organization_id=request.auth.organization_id, now=system_clock(), actor=request.auth.hint, **fields
        )
        return Response(webhooks.with_secret(endpoint), status=201)


class EndpointView(APIView):
    required_permission = {
        "GET": Permission.SEE_WEBHOOKS,
        "PATCH": Permission.MANAGE_WEBHOOKS,
        "DELETE": Permission.MANAGE_WEBHOOKS,
    }
    answers = {"GET": webhooks.EndpointAnswer, "PATCH": webhooks.EndpointAnswer}

    def get(self, request: Any, endpoint: str) -> Response:
        found = get_endpoint(organization_id=request.auth.organization_id, endpoint=endpoint)
        return Response(webhooks.endpoint(found))

    @extend_schema(request=webhooks.EndpointInput)
    def patch(self, request: Any, endpoint: str) -> Response:
        body = webhooks.EndpointInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        found = get_endpoint(organization_id=request.auth.organization_id, endpoint=endpoint)
        changed = update_endpoint(endpoint=found, now=system_clock(), actor=request.auth.hint, **body.validated_data)
        return Response(webhooks.endpoint(changed))

    def delete(self, request: Any, endpoint: str) -> Response:
        """Removes it with its log."""
        found = get_endpoint(organization_id=request.auth.organization_id, endpoint=endpoint)
        delete_endpoint(endpoint=found, actor=request.auth.hint)
        return Response(status=204)


class RotateView(APIView):
    """Another secret, answered this once; the one before signs beside it for a day."""

    required_permission = Permission.MANAGE_WEBHOOKS
    answers = {"POST": webhooks.NewSecretAnswer}

    @extend_schema(request=None)
    def post(self, request: Any, endpoint: str) -> Response:
        found = get_endpoint(organization_id=request.auth.organization_id, endpoint=endpoint)
        return Response(
            webhooks.with_secret(rotate_secret(endpoint=found, now=system_clock(), actor=request.auth.hint))
        )


class TestView(APIView):
    """Sends the endpoint an event of the type `webhook.test`."""

    required_permission = Permission.BUILD
    statuses = {"POST": 202}
    answers = {"POST": MessageAnswer}

    @extend_schema(request=None)
    @idempotent
    def post(self, request: Any, endpoint: str) -> Response:
        found = get_endpoint(organization_id=request.auth.organization_id, endpoint=endpoint)
        event = send_test(endpoint=found, now=system_clock())
        return Response({"message_id": event.public_id, "type": event.type}, status=202)


class ReplayFailedView(APIView):
    """Sends again all that was given up of what was made since then."""

    required_permission = Permission.BUILD
    statuses = {"POST": 202}
    answers = {"POST": CountAnswer}

    @extend_schema(request=SinceInput)
    def post(self, request: Any, endpoint: str) -> Response:
        body = SinceInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_endpoint(organization_id=request.auth.organization_id, endpoint=endpoint)
        since = body.validated_data["since"]
        count = replay_failed(endpoint=found, since=since, now=system_clock(), actor=request.auth.hint)
        return Response({"deliveries": count}, status=202)


class DeliveriesView(APIView):
    """Newest first."""

    required_permission = Permission.SEE_WEBHOOKS
    answers = {"GET": page_of(webhooks.DeliveryAnswer)}
    filters = ("webhook_endpoint", "status", "type", "subject", "since")

    def get(self, request: Any) -> Response:
        asked = request.query_params
        status = asked.get("status")
        if status and status not in DeliveryStatus.values:
            raise InvalidError(f"status is one of {', '.join(DeliveryStatus.values)}", code="status_invalid")
        rows = deliveries_of(
            request.auth.organization_id,
            endpoint=asked.get("webhook_endpoint"),
            status=status,
            type=asked.get("type"),
            subject=asked.get("subject"),
            since=instant_parameter(asked, "since"),
        )
        return Response(page(rows, asked, webhooks.delivery, newest_first=True))


class DeliveryView(APIView):
    required_permission = Permission.SEE_WEBHOOKS
    answers = {"GET": webhooks.DeliveryDetailAnswer}

    def get(self, request: Any, delivery: str) -> Response:
        found = get_delivery(organization_id=request.auth.organization_id, delivery=delivery)
        return Response(webhooks.delivery_detail(found))


class ReplayView(APIView):
    """Sends it once more, under the same message id."""

    required_permission = Permission.BUILD
    statuses = {"POST": 202}
    answers = {"POST": webhooks.DeliveryAnswer}

    @extend_schema(request=None)
    def post(self, request: Any, delivery: str) -> Response:
        found = get_delivery(organization_id=request.auth.organization_id, delivery=delivery)
        return Response(
            webhooks.delivery(replay_delivery(delivery=found, now=system_clock(), actor=request.auth.hint)), status=202
        )
