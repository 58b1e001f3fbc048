"""Taking events back, and putting others in their place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from kernel.errors import InvalidError
from kernel.ids import new_id
from kernel.period import Period
from metering.archive.recall import LOG, RECALLED, Load, load
from metering.archive.selection import Selection
from metering.compiler import Fragment
from metering.contracts import EventNotFound
from metering.decoding import event_identity
from metering.models import ArchivedOrganization, EventCorrection, EventIdentity
from metering.notifications import announcing
from metering.services.ingest import ingest


class AmendmentInvalid(InvalidError):
    code = "amendment_invalid"


# What the event said is copied by the database: its numbers stay the very numbers.
_VOID = """
INSERT INTO metering_eventcorrection
    (id, reason, created_at, event_id, organization_id, source, sent_id, type, subject, time, data)
SELECT %s, %s, %s, e.identity, e.organization_id, e.source, e.event_id, e.type, e.subject, e.time, e.data
FROM {log} e WHERE e.organization_id = %s AND e.time = %s AND e.identity = %s
ON CONFLICT (event_id) DO NOTHING
"""


@announcing
def void_event(*, organization_id: int, source: str, event_id: str, reason: str, at: datetime) -> EventCorrection:
    """Take an event back. It stays in the log, and counts for nothing from the moment this returns.

    Taking it back again answers the first correction. Raises `EventNotFound`, `ArchiveUnavailable`.
    """
    identity = event_identity(organization_id, source, event_id)
    known = EventIdentity.objects.filter(pk=identity).first()
    if known is not None:
        _take_back(known, organization_id, reason, at)
        correction = EventCorrection.objects.filter(event_id=identity).first()
        if correction is not None:
            return correction
    raise EventNotFound(f"There is no event {event_id!r} of the source {source!r}")


def _take_back(known: EventIdentity, organization_id: int, reason: str, at: datetime) -> None:
    """Write the correction, unless there is one: of an event in the log, or else in an archive."""
    values = [new_id("cor"), reason, at, organization_id, known.time, known.pk]

    def write(log: Fragment) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(_VOID).format(log=log).as_string(cursor.connection), values)
            return bool(cursor.rowcount)

    if write(LOG) or EventCorrection.objects.filter(event_id=known.pk).exists():
        return
    with transaction.atomic():
        load(_archived(known.time, organization_id))
        if write(RECALLED):
            return
    write(LOG)  # it may have come back into the log between the two


def _archived(time: datetime, organization_id: int) -> list[Load]:
    """What is to be loaded of archives for an event at `time`."""
    selection = Selection(organization_id, periods=(Period(time, time + timedelta(microseconds=1)),))
    found = ArchivedOrganization.objects.filter(
        organization_id=organization_id, first_time__lte=time, last_time__gte=time
    )
    return [Load(one.archive_id, selection) for one in found.order_by("archive")]


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
