"""The log as a stream of changes, for projections that other rooms keep of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec
from django.db import connection
from psycopg import sql

from accounts.facade import unseal
from metering.archive.newest import oldest
from metering.archive.recall import ask, everything
from metering.archive.selection import Selection, plain_texts
from metering.compiler import Fragment
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
     FROM {log} e
     WHERE e.organization_id = {organization} AND e.type = ANY({types})
       AND e.xid >= {xid}::xid8 AND e.xid < {watermark}::xid8
       AND (e.xid, e.identity, 0) > ({xid}::xid8, {identity}::uuid, {kind})
     ORDER BY e.xid, e.identity LIMIT {limit})
    UNION ALL
    (SELECT c.xid, c.event_id, 1, c.sent_id, c.source, c.type, c.subject, c.time, c.data
     FROM metering_eventcorrection c
     WHERE c.organization_id = {organization} AND c.type = ANY({types})
       AND c.xid >= {xid}::xid8 AND c.xid < {watermark}::xid8
       AND (c.xid, c.event_id, 1) > ({xid}::xid8, {identity}::uuid, {kind})
     ORDER BY c.xid, c.event_id LIMIT {limit})
) changes
ORDER BY changes.xid, identity, kind LIMIT {limit}
"""

_BEHIND = """
SELECT reader.organization FROM unnest(%(organizations)s::bigint[], %(xids)s::text[]) AS reader (organization, xid)
WHERE EXISTS (SELECT FROM metering_usageevent e WHERE e.organization_id = reader.organization
              AND e.xid >= reader.xid::xid8 AND e.xid < pg_snapshot_xmin(pg_current_snapshot()))
   OR EXISTS (SELECT FROM metering_eventcorrection c WHERE c.organization_id = reader.organization
              AND c.xid >= reader.xid::xid8 AND c.xid < pg_snapshot_xmin(pg_current_snapshot()))
   OR EXISTS (SELECT FROM metering_archivedorganization a WHERE a.organization_id = reader.organization
              AND a.last_xid >= reader.xid::xid8 AND a.last_xid < pg_snapshot_xmin(pg_current_snapshot()))
ORDER BY reader.organization
"""

_OF_TASK = """
SELECT e.identity, e.event_id, e.source, e.type, e.subject, e.time, e.received_at, e.data::text, c.id IS NOT NULL,
       e.xid::text
FROM {log} e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
WHERE e.organization_id = {organization} AND (e.xid = ANY({transactions}::xid8[]) OR e.xid >= {since}::xid8)
  AND e.data ->> 'task_id' = {task_id} AND {of_types}
ORDER BY e.time, e.identity LIMIT {limit}
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

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_CHANGES).format(
            log=log,
            organization=organization_id,
            types=sql.Literal(list(types)),
            watermark=sql.Literal(str(watermark)),
            limit=limit,
            xid=sql.Literal(str(after.xid)),
            identity=sql.Literal(after.identity),
            kind=int(after.is_correction),
        )

    selection = Selection(organization_id, types=tuple(types), first_xid=after.xid, last_xid=watermark - 1)
    rows = ask(statement, organization_id=organization_id, period=None, plan=oldest(selection, limit))
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

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_OF_TASK).format(
            log=log,
            organization=organization_id,
            task_id=sql.Literal(task_id),
            transactions=sql.Literal([str(xid) for xid in transactions]),
            since=sql.Literal(str(since)),
            limit=limit + 1,
            of_types=sql.SQL("TRUE") if types is None else sql.SQL("e.type = ANY({})").format(sql.Literal(list(types))),
        )

    selection = Selection(
        organization_id,
        types=None if types is None else tuple(types),
        first_xid=since,
        transactions=tuple(transactions),
        texts=plain_texts(task_id),
    )
    rows = ask(statement, organization_id=organization_id, period=None, plan=everything(selection))
    data = unseal([_decoder.decode(row[7]) for row in rows[:limit]], organization_id=organization_id)
    found = [EventView(*(str(row[0]), *row[1:7], one, row[8])) for row, one in zip(rows, data, strict=False)]
    return [(event, int(row[9])) for event, row in zip(found, rows, strict=False)], len(rows) > limit
