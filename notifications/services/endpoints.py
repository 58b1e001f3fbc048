"""Webhook endpoints: made, changed, rotated, disabled, tested."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.facade import record_audit
from kernel.errors import ConflictError, InvalidError
from kernel.targets import read_url
from notifications.domain.signing import OVERLAP_HOURS, new_secret
from notifications.event_types import EVENT_TYPES, TEST
from notifications.models import DisabledFor, WebhookEndpoint, WebhookEvent
from notifications.services.announcing import event_body
from notifications.services.disabling import stop_endpoint
from notifications.services.order import order_held
from notifications.services.secrets import sealed

#: So many an organization may have.
MOST = 50


class EventTypeUnknown(InvalidError):
    code = "event_type_unknown"


class EndpointDisabled(ConflictError):
    code = "webhook_endpoint_disabled"


def create_endpoint(
    *,
    organization_id: int,
    url: str,
    now: datetime,
    description: str = "",
    event_types: Sequence[str] = (),
    actor: str = "system",
) -> WebhookEndpoint:
    """A new endpoint, listening from now on. Its secret is to be shown this once (`reveal_secret`).

    Raises `UrlRefused`, `EventTypeUnknown`, and `ConflictError` with the code `too_many_webhook_endpoints`.
    """
    _check(url, event_types)
    with transaction.atomic():
        if WebhookEndpoint.objects.filter(organization_id=organization_id).count() >= MOST:
            raise ConflictError(
                f"An organization has at most {MOST} webhook endpoints", code="too_many_webhook_endpoints"
            )
        endpoint = WebhookEndpoint.objects.create(
            organization_id=organization_id,
            url=url,
            description=description,
            event_types=sorted(set(event_types)),
            secret=sealed(new_secret()),
            created_at=now,
        )
        _audit(endpoint, actor, "create", url=url)
    return endpoint


def update_endpoint(
    *,
    endpoint: WebhookEndpoint,
    now: datetime,
    url: str | None = None,
    description: str | None = None,
    event_types: Sequence[str] | None = None,
    enabled: bool | None = None,
    actor: str = "system",
) -> WebhookEndpoint:
    """Change what is given. What waits for a disabled endpoint is given up; enabling it begins anew.

    Raises as `create_endpoint`.
    """
    changes = {
        "url": url,
        "description": description,
        "event_types": None if event_types is None else sorted(set(event_types)),
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    with order_held():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        _check(url if url is not None and url != locked.url else None, event_types or ())
        for name, value in changes.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(changes))
        if enabled is False and locked.enabled:
            stop_endpoint(endpoint=locked, reason=DisabledFor.BY_HAND, now=now)
        if enabled is True and not locked.enabled:
            locked.enabled, locked.disabled_for, locked.disabled_at, locked.failing_since = True, "", None, None
            locked.save(update_fields=["enabled", "disabled_for", "disabled_at", "failing_since"])
        said = changes if enabled is None else {**changes, "enabled": enabled}
        _audit(locked, actor, "update", **said)
    return locked


def rotate_secret(*, endpoint: WebhookEndpoint, now: datetime, actor: str = "system") -> WebhookEndpoint:
    """Give the endpoint another secret, shown this once (`reveal_secret`). The one before signs beside it for a day."""
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        locked.previous_secret, locked.secret = locked.secret, sealed(new_secret())
        locked.previous_secret_until = now + timedelta(hours=OVERLAP_HOURS)
        locked.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
        _audit(locked, actor, "rotate_secret")
    return locked


def delete_endpoint(*, endpoint: WebhookEndpoint, actor: str = "system") -> None:
    """Remove an endpoint, and with it what waits for it and its log."""
    with order_held():
        _audit(endpoint, actor, "delete", url=endpoint.url)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).delete()


def send_test(*, endpoint: WebhookEndpoint, now: datetime) -> WebhookEvent:
    """Send the endpoint an event of the type `webhook.test`, whatever it listens to. Raises `EndpointDisabled`."""
    if not endpoint.enabled:
        raise EndpointDisabled("Nothing is sent to a disabled endpoint: enable it first")
    data = {"webhook_endpoint": endpoint.pk, "message": "This is a test. Nothing has happened."}
    record_audit(organization_id=endpoint.organization_id, action="webhook_endpoint.test", target=endpoint.pk)
    return WebhookEvent.objects.create(
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        type=TEST,
        subject=endpoint.pk,
        body=event_body(type=TEST, at=now, data=data),
        at=now,
    )


def _check(url: str | None, event_types: Sequence[str]) -> None:
    if url is not None:
        read_url(url, allows_http=settings.WEBHOOK_HTTP, allowed=settings.WEBHOOK_ALLOWED_NETWORKS)
    for one in event_types:
        if one not in EVENT_TYPES:
            raise EventTypeUnknown(f"There is no event type {one!r}. There are: {', '.join(EVENT_TYPES)}")


def _audit(endpoint: WebhookEndpoint, actor: str, action: str, **detail: Any) -> None:
    record_audit(
        organization_id=endpoint.organization_id,
        actor=actor,
        action=f"webhook_endpoint.{action}",
        target=endpoint.pk,
        **detail,
    )
