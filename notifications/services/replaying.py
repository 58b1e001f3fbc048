"""Asking for deliveries again, by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from accounts.facade import record_audit
from kernel.errors import ConflictError
from notifications.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from notifications.services.endpoints import EndpointDisabled
from notifications.services.order import order_held, promote

_AGAIN = """
UPDATE notifications_webhookdelivery
SET status = 'waiting', attempts = 0, next_attempt_at = NULL, leased_until = NULL, finished_at = NULL
WHERE endpoint_id = %s AND status = 'failed' AND created_at >= %s
RETURNING subject
"""


class DeliveryUnderWay(ConflictError):
    code = "webhook_delivery_under_way"


def replay_delivery(*, delivery: WebhookDelivery, now: datetime, actor: str = "system") -> WebhookDelivery:
    """Send once more what was delivered or given up, under the same message id, with all its retries.

    Where others of its subject wait, it goes first. Raises `DeliveryUnderWay` and `EndpointDisabled`.
    """
    with order_held():
        locked = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("endpoint").get(pk=delivery.pk)
        _require_enabled(locked.endpoint)
        if locked.status not in (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED):
            raise DeliveryUnderWay("This delivery is on its way already")
        locked.status, locked.attempts, locked.next_attempt_at = DeliveryStatus.WAITING, 0, None
        locked.leased_until, locked.finished_at = None, None
        locked.save(update_fields=["status", "attempts", "next_attempt_at", "leased_until", "finished_at"])
        promote([(locked.endpoint_id, locked.subject)], now=now)
        _audit(locked.endpoint, actor, locked.public_id)
    locked.refresh_from_db()
    return locked


def replay_failed(*, endpoint: WebhookEndpoint, since: datetime, now: datetime, actor: str = "system") -> int:
    """Send again all that was given up of what was made since then, in order; answers how many.

    Raises `EndpointDisabled`.
    """
    with order_held():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        _require_enabled(locked)
        with connection.cursor() as cursor:
            cursor.execute(_AGAIN, [locked.pk, since])
            subjects = [row[0] for row in cursor.fetchall()]
        promote([(locked.pk, subject) for subject in subjects], now=now)
        _audit(locked, actor, locked.pk, since=since.isoformat(), deliveries=len(subjects))
    return len(subjects)


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.enabled:
        raise EndpointDisabled("Nothing is sent to a disabled endpoint: enable it first")


def _audit(endpoint: WebhookEndpoint, actor: str, target: str, **detail: Any) -> None:
    record_audit(
        organization_id=endpoint.organization_id,
        actor=actor,
        action="webhook_delivery.replay",
        target=target,
        **detail,
    )
