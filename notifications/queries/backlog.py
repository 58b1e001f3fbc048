"""What waits to be sent for an organization, and what was given up lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min

from notifications.models import DeliveryStatus, Mail, MailStatus, WebhookDelivery, WebhookEvent

#: What was given up this long ago is still told.
LATELY = timedelta(hours=24)

#: Counting ends here.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Backlog:
    """`since`: when the oldest that should be gone by now was due. `failed`: given up lately, counted up to 1000."""

    since: datetime | None
    failed: int


def webhook_backlog(*, organization_id: int, now: datetime) -> Backlog:
    """Retries that wait for their time are no backlog; nor is what waits for an endpoint that is switched off."""
    new = WebhookEvent.objects.filter(organization_id=organization_id, is_distributed=False)
    due = WebhookDelivery.objects.filter(
        endpoint__organization_id=organization_id,
        endpoint__enabled=True,
        status=DeliveryStatus.DUE,
        next_attempt_at__lte=now,
    )
    since = [new.aggregate(at=Min("at"))["at"], due.aggregate(at=Min("next_attempt_at"))["at"]]
    failed = WebhookDelivery.objects.filter(
        organization_id=organization_id, status=DeliveryStatus.FAILED, finished_at__gt=now - LATELY
    )
    return Backlog(min((at for at in since if at), default=None), failed.order_by()[:_MOST].count())


def mail_backlog(*, organization_id: int, now: datetime) -> Backlog:
    """Retries that wait for their time are no backlog."""
    due = Mail.objects.filter(organization_id=organization_id, status=MailStatus.QUEUED, next_attempt_at__lte=now)
    failed = Mail.objects.filter(organization_id=organization_id, status=MailStatus.FAILED, created_at__gt=now - LATELY)
    return Backlog(due.aggregate(at=Min("next_attempt_at"))["at"], failed.order_by()[:_MOST].count())
