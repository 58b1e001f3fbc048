from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from metering.contracts import EventNotFound
from metering.decoding import event_identity
from metering.models import EventCorrection, UsageEvent


def void_event(*, organization_id: int, source: str, event_id: str, reason: str, at: datetime) -> EventCorrection:
    """Take an event back. It stays in the log, and counts for nothing from the moment this returns.

    Taking it back again answers the first correction. Raises `EventNotFound`.
    """
    event = UsageEvent.objects.filter(pk=event_identity(organization_id, source, event_id)).first()
    if event is None:
        raise EventNotFound(f"There is no event {event_id!r} of the source {source!r}")
    try:
        with transaction.atomic():
            return EventCorrection.objects.create(
                organization_id=organization_id, event=event, reason=reason, created_at=at
            )
    except IntegrityError:
        return EventCorrection.objects.get(event=event)
