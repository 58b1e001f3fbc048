"""Taking events back, and putting others in their place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from kernel.errors import InvalidError
from metering.contracts import EventNotFound
from metering.decoding import event_identity
from metering.models import EventCorrection, UsageEvent
from metering.notifications import announcing
from metering.services.ingest import ingest


class AmendmentInvalid(InvalidError):
    code = "amendment_invalid"


@announcing
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


def amend_event(
    *,
    organization_id: int,
    source: str,
    event_id: str,
    reason: str,
    replacement: Mapping[str, Any],
    at: datetime,
) -> EventCorrection:
    """Take an event back and write another in its place, both or neither.

    The replacement is an event of its own with an id of its own; sent again, nothing happens twice.
    Raises `EventNotFound`, `BatchRejected` for a replacement that cannot be taken, `AmendmentInvalid`
    for one that has the identity of what it is to replace.
    """
    with transaction.atomic():
        correction = void_event(organization_id=organization_id, source=source, event_id=event_id, reason=reason, at=at)
        if (replacement.get("source"), replacement.get("id")) == (source, event_id):
            raise AmendmentInvalid("The new event needs an id of its own: identities are never given twice")
        ingest(organization_id=organization_id, events=[replacement], received_at=at, strict=True)
    return correction
