"""Events in quarantine."""

from __future__ import annotations

from django.db.models import QuerySet

from metering.models import QuarantinedEvent, QuarantineState
from rest.lookup import find


def quarantined_events(organization_id: int, *, state: str | None = None) -> QuerySet[QuarantinedEvent]:
    """The events that are or were in quarantine, all or those in `state`."""
    rows = QuarantinedEvent.objects.filter(organization_id=organization_id)
    return rows if state is None else rows.filter(state=state)


def waiting_in_quarantine(organization_id: int) -> int:
    """How many events wait in quarantine."""
    return quarantined_events(organization_id, state=QuarantineState.QUARANTINED).count()


def get_quarantined_event(
    *, organization_id: int, event: str, rows: QuerySet[QuarantinedEvent] | None = None
) -> QuarantinedEvent:
    """The event with this id; raises `NotFoundError` with code `quarantined_event_not_found`."""
    return find(quarantined_events(organization_id) if rows is None else rows, event, what="quarantined_event")
