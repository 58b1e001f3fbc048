"""How far organizations' logs have come, so that a reader knows whether there is anything new."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from metering.models import EventIdentity

#: Equal positions mean equal usage.
Position = tuple[int, int, int, int]

_POSITIONS = """
SELECT o.id,
       (SELECT xid FROM metering_usageevent WHERE organization_id = o.id ORDER BY xid DESC LIMIT 1)::text,
       (SELECT xid FROM metering_eventcorrection WHERE organization_id = o.id ORDER BY xid DESC LIMIT 1)::text,
       pg_snapshot_xmin(pg_current_snapshot())::text,
       (SELECT MAX(v.id) FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
        WHERE m.organization_id = o.id)
FROM unnest(%s::bigint[]) AS o (id)
"""


def log_positions(organization_ids: Sequence[int]) -> dict[int, Position]:
    """The last transactions and the newest meter of each organization; looks at the ends of two indexes for each.

    A transaction older than the last one may still be running. Then the oldest that runs is part of the
    position, which so changes when that one has ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(_POSITIONS, [list(organization_ids)])
        return {row[0]: _position(*row[1:]) for row in cursor.fetchall()}


def _position(event: str | None, correction: str | None, oldest: str, version: int | None) -> Position:
    last_event, last_correction = int(event or 0), int(correction or 0)
    return last_event, last_correction, min(int(oldest), max(last_event, last_correction) + 1), version or 0


def log_snapshot() -> str:
    """Which transactions the present one can see, as PostgreSQL writes it (`pg_snapshot`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def known_events(identities: Collection[UUID]) -> set[UUID]:
    """Those of the events (by `event_identity`) that have been taken in, as far as the present transaction sees."""
    return set(EventIdentity.objects.filter(pk__in=identities).values_list("pk", flat=True)) if identities else set()
