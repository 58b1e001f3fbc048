"""Endpoints to which nothing is sent any more: by hand, because they are gone, or because nothing arrives for days."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from accounts.facade import Role
from kernel.clock import to_rfc3339
from notifications.models import DeliveryStatus, DisabledFor, WebhookDelivery, WebhookEndpoint
from notifications.queries.people import addresses_of
from notifications.services.queueing import queue_mail

#: An endpoint is disabled once nothing has arrived there for so long.
DISABLED_AFTER = timedelta(days=5)

_OPEN = (DeliveryStatus.WAITING, DeliveryStatus.DUE)


def disable_failing(*, endpoint_ids: Collection[str], gone: Collection[str], now: datetime) -> None:
    """Disable those that are `gone`, and of the others those that have failed for days; the organization's people are
    told by mail. To be called in `order_held`."""
    failing = WebhookEndpoint.objects.filter(pk__in=endpoint_ids, failing_since__lte=now - DISABLED_AFTER)
    reasons = [(WebhookEndpoint.objects.filter(pk__in=gone), DisabledFor.GONE), (failing, DisabledFor.FAILING)]
    for rows, reason in reasons if gone or endpoint_ids else []:
        for endpoint in rows.filter(enabled=True).select_related("organization").order_by("id"):
            stop_endpoint(endpoint=endpoint, reason=reason, now=now)
            _tell(endpoint, now)


def stop_endpoint(*, endpoint: WebhookEndpoint, reason: DisabledFor, now: datetime) -> None:
    """Send nothing more: what is still open is given up, and may be asked for again later. In `order_held`."""
    endpoint.enabled, endpoint.disabled_for, endpoint.disabled_at = False, reason, now
    endpoint.save(update_fields=["enabled", "disabled_for", "disabled_at"])
    WebhookDelivery.objects.filter(endpoint=endpoint, status__in=_OPEN).update(
        status=DeliveryStatus.FAILED, last_error="endpoint_disabled", next_attempt_at=None, finished_at=now
    )


def _tell(endpoint: WebhookEndpoint, now: datetime) -> None:
    to = addresses_of(endpoint.organization_id, roles=(Role.OWNER, Role.ADMIN, Role.DEVELOPER))
    context = {
        "url": endpoint.url,
        "reason": str(endpoint.disabled_for),
        "failing_since": to_rfc3339(endpoint.failing_since) if endpoint.failing_since else None,
        "path": f"/webhooks/{endpoint.pk}",
    }
    key = f"webhook_disabled:{endpoint.pk}:{to_rfc3339(now)}"
    queue_mail(
        organization_id=endpoint.organization_id, kind="webhook_disabled", to=to, context=context, key=key, at=now
    )
