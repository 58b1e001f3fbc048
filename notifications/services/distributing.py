"""From what happened to what is to be sent: a delivery for every endpoint that listens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from notifications.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint, WebhookEvent
from notifications.services.order import order_held

#: Events distributed in one transaction.
_BATCH = 500

_OPEN_PAIRS = """
SELECT DISTINCT endpoint_id, subject FROM notifications_webhookdelivery
WHERE status IN ('waiting', 'due') AND endpoint_id = ANY(%s) AND subject = ANY(%s)
"""


def distribute_events(*, now: datetime) -> int:
    """Make the deliveries of the next new events, oldest first; answers how many events that were.

    The events of one subject were written one after the other, by transactions that held its row: their numbers are
    their order.
    """
    with order_held():
        new = WebhookEvent.objects.filter(is_distributed=False).order_by("id").defer("body")
        events = list(new[:_BATCH])
        if not events:
            return 0
        WebhookDelivery.objects.bulk_create(_deliveries(events, now))
        WebhookEvent.objects.filter(pk__in=[one.pk for one in events]).update(is_distributed=True)
    return len(events)


def _deliveries(events: Sequence[WebhookEvent], now: datetime) -> list[WebhookDelivery]:
    listeners = _listeners(events)
    made = [
        WebhookDelivery(
            organization_id=event.organization_id,
            endpoint=endpoint,
            event=event,
            subject=event.subject,
            created_at=now,
        )
        for event in events
        for endpoint in listeners.get(event.organization_id, ())
        if _is_for(event, endpoint)
    ]
    taken = _open_pairs(made)
    for one in made:
        if (one.endpoint_id, one.subject) not in taken:
            taken.add((one.endpoint_id, one.subject))
            one.status, one.next_attempt_at = DeliveryStatus.DUE, now
    return made


def _listeners(events: Sequence[WebhookEvent]) -> dict[int, list[WebhookEndpoint]]:
    found: dict[int, list[WebhookEndpoint]] = {}
    organizations = {event.organization_id for event in events}
    for endpoint in WebhookEndpoint.objects.filter(organization_id__in=organizations, enabled=True).order_by("id"):
        found.setdefault(endpoint.organization_id, []).append(endpoint)
    return found


def _is_for(event: WebhookEvent, endpoint: WebhookEndpoint) -> bool:
    if event.endpoint_id is not None:
        return event.endpoint_id == endpoint.pk
    return not endpoint.event_types or event.type in endpoint.event_types


def _open_pairs(made: Sequence[WebhookDelivery]) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        endpoints, subjects = ({getattr(one, name) for one in made} for name in ("endpoint_id", "subject"))
        cursor.execute(_OPEN_PAIRS, [sorted(endpoints), sorted(subjects)])
        return set(cursor.fetchall())
