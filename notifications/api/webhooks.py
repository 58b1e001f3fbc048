"""How webhooks look in the API: what it takes, what it answers."""

from __future__ import annotations

from typing import Any

import msgspec
from rest_framework.serializers import (
    BooleanField,
    CharField,
    IntegerField,
    JSONField,
    ListField,
    Serializer,
)

from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.services.secrets import reveal_secret
from rest.serializers import InstantField, StrictSerializer


class EndpointInput(StrictSerializer):
    url = CharField(max_length=2000)
    description = CharField(max_length=200, required=False, allow_blank=True)
    event_types = ListField(child=CharField(max_length=60), required=False, max_length=100)
    enabled = BooleanField(required=False)


class EndpointAnswer(Serializer[Any]):
    """`secret` is answered where it is made, and not again."""

    id = CharField()
    url = CharField()
    description = CharField()
    event_types = ListField(child=CharField())
    enabled = BooleanField()
    disabled_for = CharField(allow_null=True)
    disabled_at = InstantField(allow_null=True)
    previous_secret_until = InstantField(allow_null=True)
    failing_since = InstantField(allow_null=True)
    last_delivered_at = InstantField(allow_null=True)
    created_at = InstantField()


class NewSecretAnswer(EndpointAnswer):
    secret = CharField()


class AttemptAnswer(Serializer[Any]):
    at = InstantField()
    duration_ms = IntegerField()
    status_code = IntegerField(allow_null=True)
    error = CharField(allow_null=True)
    response = CharField()


class DeliveryAnswer(Serializer[Any]):
    id = CharField()
    webhook_endpoint = CharField()
    message_id = CharField()
    type = CharField()
    subject = CharField()
    status = CharField()
    attempts = IntegerField()
    next_attempt_at = InstantField(allow_null=True)
    last_status_code = IntegerField(allow_null=True)
    last_error = CharField(allow_null=True)
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)


class DeliveryDetailAnswer(DeliveryAnswer):
    payload = JSONField()
    attempt_log = AttemptAnswer(many=True)


def endpoint(one: WebhookEndpoint) -> dict[str, Any]:
    names = (
        "id url description event_types enabled disabled_at previous_secret_until failing_since last_delivered_at "
        "created_at"
    )
    return {name: getattr(one, name) for name in names.split()} | {"disabled_for": one.disabled_for or None}


def with_secret(one: WebhookEndpoint) -> dict[str, Any]:
    return endpoint(one) | {"secret": reveal_secret(one)}


def delivery(one: WebhookDelivery) -> dict[str, Any]:
    names = "subject status attempts next_attempt_at last_status_code created_at finished_at"
    return {name: getattr(one, name) for name in names.split()} | {
        "id": one.public_id,
        "webhook_endpoint": one.endpoint_id,
        "message_id": one.event.public_id,
        "type": one.event.type,
        "last_error": one.last_error or None,
    }


def delivery_detail(one: WebhookDelivery) -> dict[str, Any]:
    """With what was sent and how each attempt went."""
    return delivery(one) | {
        "payload": msgspec.json.decode(one.event.body),
        "attempt_log": [_attempt(attempt) for attempt in one.attempt_log.all()],
    }


def _attempt(one: WebhookAttempt) -> dict[str, Any]:
    names = "at duration_ms status_code response"
    return {name: getattr(one, name) for name in names.split()} | {"error": one.error or None}
