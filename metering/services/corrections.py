"""Taking events back, and putting others in their place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from accounts.facade import record_audit
from kernel.errors import InvalidError
from kernel.ids import new_id
from kernel.period import Period
from metering.archive.recall import LOG, RECALLED, Load, load
from metering.archive.selection import Selection
from metering.compiler import Fragment
from metering.contracts import EventNotFound, Voided
from metering.decoding import event_identity
from metering.models import ArchivedOrganization, EventCorrection, EventIdentity
from metering.notifications import announcing
from metering.services.ingest import ingest
from metering.services.quarantine_decisions import discard_voided


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
def void_event(
    *, organization_id: int, source: str, event_id: str, reason: str, at: datetime, audited: bool = True
) -> Voided:
    """Take an event back. It stays in the log, and counts for nothing from the moment this returns. One in quarantine
    is discarded.

    Taking it back again answers the first record. Not `audited`, the caller writes the entry of the larger act
    that this is part of. Raises `EventNotFound`, `ArchiveUnavailable`.
    """
    identity = event_identity(organization_id, source, event_id)
    known = EventIdentity.objects.filter(pk=identity).first()
    if known is None:
        raise _not_found(source, event_id)
    with transaction.atomic():
        voided, is_new = _take_back(known, organization_id, reason, at)
        if voided is None:
            raise _not_found(source, event_id)
        if is_new and audited:
            record_audit(
                organization_id=organization_id,
                action="event.void",
                target=event_id,
                about=voided.subject,
                source=source,
                reason=reason,
            )
    return voided


def _not_found(source: str, event_id: str) -> EventNotFound:
    return EventNotFound(f"There is no event {event_id!r} of the source {source!r}")


def _take_back(known: EventIdentity, organization_id: int, reason: str, at: datetime) -> tuple[Voided | None, bool]:
    """Take an event back that is in the log, in quarantine or in an archive, unless it is taken back already: the
    record of it, and whether it is new."""
    values: list[Any] = [new_id("cor"), reason, at, organization_id, known.time, known.pk]

    def write(log: Fragment) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(_VOID).format(log=log).as_string(cursor.connection), values)
            return bool(cursor.rowcount)

    is_new = write(LOG)
    if not is_new and (found := _correction(known)) is not None:
        return found, False
    if not is_new:
        held, is_new = discard_voided(organization_id=organization_id, identity=known.pk, reason=reason, at=at)
        if held is not None:
            return Voided(held.pk, held.decision_reason, held.decided_at or at, held.subject), is_new
        with transaction.atomic():
            load(_archived(known.time, organization_id))
            is_new = write(RECALLED)
    is_new = is_new or write(LOG)  # it may have come back into the log between the two
    return _correction(known), is_new


def _correction(known: EventIdentity) -> Voided | None:
    found = EventCorrection.objects.filter(event_id=known.pk).first()
    return None if found is None else Voided(found.pk, found.reason, found.created_at, found.subject)


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
    audited: bool = True,
) -> Voided:
    """Take an event back, or discard it in quarantine, and write another in its place, both or neither.

    The replacement is an event of its own with an id of its own; sent again, nothing happens twice.
    Raises `EventNotFound`, `BatchRejected` for a replacement that cannot be taken, `AmendmentInvalid`
    for one that has the identity of what it is to replace.
    """
    with transaction.atomic():
        correction = void_event(
            organization_id=organization_id, source=source, event_id=event_id, reason=reason, at=at, audited=False
        )
        if (replacement.get("source"), replacement.get("id")) == (source, event_id):
            raise AmendmentInvalid("The new event needs an id of its own: identities are never given twice")
        result = ingest(
            organization_id=organization_id, events=[replacement], received_at=at, strict=True, backfill=True
        )
        if audited and result.accepted:
            record_audit(
                organization_id=organization_id,
                action="event.amend",
                target=event_id,
                about=correction.subject,
                source=source,
                reason=reason,
                replacement={"source": replacement.get("source"), "id": replacement.get("id")},
            )
    return correction
