from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from kernel.errors import NotFoundError
from notifications.models import WebhookDelivery, WebhookEndpoint


def endpoints_of(organization_id: int) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(organization_id=organization_id)


def get_endpoint(*, organization_id: int, endpoint: str) -> WebhookEndpoint:
    """Raises `NotFoundError` with the code `webhook_endpoint_not_found`."""
    found = endpoints_of(organization_id).filter(pk=endpoint).first() if "\x00" not in endpoint else None
    if found is None:
        raise NotFoundError(f"There is no webhook endpoint {endpoint!r}", code="webhook_endpoint_not_found")
    return found


def deliveries_of(
    organization_id: int,
    *,
    endpoint: str | None = None,
    status: str | None = None,
    type: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
) -> QuerySet[WebhookDelivery]:
    """Deliveries with their events (without the bodies) and endpoints; the filters that are given all hold."""
    asked = {
        "endpoint_id": endpoint,
        "status": status,
        "event__type": type,
        "subject": subject,
        "created_at__gte": since,
    }
    if any(isinstance(value, str) and "\x00" in value for value in asked.values()):
        return WebhookDelivery.objects.none()  # PostgreSQL's text has no such character
    rows = WebhookDelivery.objects.filter(
        organization_id=organization_id, **{name: value for name, value in asked.items() if value}
    )
    return rows.select_related("event", "endpoint").defer("event__body")


def get_delivery(*, organization_id: int, delivery: str) -> WebhookDelivery:
    """With its attempts. Raises `NotFoundError` with the code `webhook_delivery_not_found`."""
    rows = WebhookDelivery.objects.filter(organization_id=organization_id).select_related("event", "endpoint")
    found = None
    if "\x00" not in delivery:
        found = rows.prefetch_related("attempt_log").filter(public_id=delivery).first()
    if found is None:
        raise NotFoundError(f"There is no webhook delivery {delivery!r}", code="webhook_delivery_not_found")
    return found
