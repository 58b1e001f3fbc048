"""The log as a stream of changes, for projections that other rooms keep of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db import connection

from metering.contracts import EventView

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_NO_IDENTITY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How far a reader of the log has come: all before this transaction, and within it up to this change."""

    xid: int = 0
    identity: str = _NO_IDENTITY
    is_correction: bool = False


@dataclass(frozen=True, slots=True)
class LogChange:
    """An event that came (`sign` 1) or was taken back (-1), by the transaction `xid`. `data` is its JSON text."""

    xid: int
    identity: str
    sign: int
    event_id: str
    source: str
    type: str
    customer: str | None
    time: datetime
    data: str


# A correction may be seen before its event: transactions are ordered by when they began.
_CHANGES = """
SELECT xid::text, identity, 1 - 2 * kind, event_id, source, type, subject, time, data::text FROM (
    (SELECT e.xid, e.identity, 0 AS kind, e.event_id, e.source, e.type, e.subject, e.time, e.data
     FROM metering_usageevent e
     WHERE e.organization_id = %(organization)s AND e.type = ANY(%(types)s)
       AND e.xid >= %(xid)s::xid8 AND e.xid < %(watermark)s::xid8
       AND (e.xid, e.identity, 0) > (%(xid)s::xid8, %(identity)s::uuid, %(kind)s)
     ORDER BY e.xid, e.identity LIMIT %(limit)s)
    UNION ALL
    (SELECT c.xid, c.event_id, 1, c.sent_id, c.source, c.type, c.subject, c.time, c.data
     FROM metering_eventcorrection c
     WHERE c.organization_id = %(organization)s AND c.type = ANY(%(types)s)
       AND c.xid >= %(xid)s::xid8 AND c.xid < %(watermark)s::xid8
       AND (c.xid, c.event_id, 1) > (%(xid)s::xid8, %(identity)s::uuid, %(kind)s)
     ORDER BY c.xid, c.event_id LIMIT %(limit)s)
) changes
ORDER BY xid, identity, kind LIMIT %(limit)s
"""

_BEHIND = """
SELECT reader.organization FROM unnest(%(organizations)s::bigint[], %(xids)s::text[]) AS reader (organization, xid)
WHERE EXISTS (SELECT FROM metering_usageevent e WHERE e.organization_id = reader.organization
              AND e.xid >= reader.xid::xid8 AND e.xid < pg_snapshot_xmin(pg_current_snapshot()))
   OR EXISTS (SELECT FROM metering_eventcorrection c WHERE c.organization_id = reader.organization
              AND c.xid >= reader.xid::xid8 AND c.xid < pg_snapshot_xmin(pg_current_snapshot()))
ORDER BY reader.organization
"""

_OF_TASK = """
SELECT e.identity, e.event_id, e.source, e.type, e.subject, e.time, e.received_at, e.data::text, c.id IS NOT NULL,
       e.xid::text
FROM metering_usageevent e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
WHERE e.organization_id = %(organization)s AND (e.xid = ANY(%(transactions)s::xid8[]) OR e.xid >= %(since)s::xid8)
  AND e.data ->> 'task_id' = %(task_id)s AND (%(types)s::text[] IS NULL OR e.type = ANY(%(types)s))
ORDER BY e.time, e.identity LIMIT %(limit)s
"""


def changes_in_log(
    *, organization_id: int, types: Sequence[str], after: LogPosition, limit: int
) -> tuple[list[LogChange], LogPosition, bool]:
    """The next changes by events of `types`, the position behind them, and whether there are more.

    Only of transactions below which all have ended, so that nothing can appear before the position any more;
    in an order that is the same whenever they are read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        watermark = int(cursor.fetchone()[0])
        bounds = {"xid": str(after.xid), "identity": after.identity, "kind": int(after.is_correction)}
        cursor.execute(
            _CHANGES,
            {
                "organization": organization_id,
                "types": list(types),
                "watermark": str(watermark),
                "limit": limit,
                **bounds,
            },
        )
        rows = cursor.fetchall()
    changes = [LogChange(int(row[0]), str(row[1]), *row[2:]) for row in rows]
    if len(changes) < limit:
        return changes, LogPosition(watermark) if watermark > after.xid else after, False
    last = changes[-1]
    return changes, LogPosition(last.xid, last.identity, last.sign < 0), True


def organizations_behind(positions: Mapping[int, LogPosition]) -> list[int]:
    """Of the readers' organizations (with how far each has come), those whose log has something new."""
    with connection.cursor() as cursor:
        cursor.execute(
            _BEHIND, {"organizations": list(positions), "xids": [str(position.xid) for position in positions.values()]}
        )
        return [organization for (organization,) in cursor.fetchall()]


def events_of_task(
    *,
    organization_id: int,
    task_id: str,
    transactions: Sequence[int],
    since: int,
    limit: int,
    types: Sequence[str] | None = None,
) -> tuple[list[tuple[EventView, int]], bool]:
    """A task's events, oldest first, each with its transaction, and whether there are more.

    Looked for in `transactions`, where a projection saw some, and in all from the transaction `since` on. Numbers of
    their data with a point are Decimals.
    """
    parameters: dict[str, Any] = {
        "organization": organization_id,
        "task_id": task_id,
        "transactions": [str(xid) for xid in transactions],
        "since": str(since),
        "limit": limit + 1,
        "types": None if types is None else list(types),
    }
    with connection.cursor() as cursor:
        cursor.execute(_OF_TASK, parameters)
        rows = cursor.fetchall()
    found = [EventView(str(row[0]), *row[1:7], _decoder.decode(row[7]), row[8]) for row in rows[:limit]]
    return [(event, int(row[9])) for event, row in zip(found, rows, strict=False)], len(rows) > limit
