"""Looking into the log: the events of a customer, an agent, a task; the events behind an invoice line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from kernel.errors import InvalidError
from kernel.period import Period
from metering.compiler import COMBINE, CompiledMeter, Fragment, compile_meter, json_text
from metering.contracts import EventView
from metering.models import MeterVersion, UsageEvent
from metering.queries.meters import definition_of
from rest.pagination import decode_cursor, encode_cursor

_SELECT = """
SELECT e.identity, e.event_id, e.source, e.type, e.subject, e.time, e.received_at, e.data, c.id IS NOT NULL
FROM metering_usageevent e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
WHERE {where}
ORDER BY e.time {direction}, e.identity {direction} LIMIT {limit}
"""

_LINE_QUANTITY = """
SELECT {combine}, COUNT(*) FROM (
    SELECT e.time AS at, e.identity AS tie, {value} AS value, 1::bigint AS events, {quantity} AS quantity
    FROM metering_usageevent e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
    WHERE {where}
) counted
"""


@dataclass(frozen=True, slots=True)
class EventQuestion:
    """Which events to list: all the conditions given must hold; times are `start` <= t < `end`."""

    organization_id: int
    customer: str | None = None
    type: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineQuestion:
    """What an invoice line counted: which meter version, whose usage, when, under which dimensions, and
    which transactions its rating could see (`snapshot`, a PostgreSQL `pg_snapshot` as text)."""

    meter_version_id: int
    customer: str
    period: Period
    where: Mapping[str, str]
    snapshot: str


def list_events(
    question: EventQuestion, *, limit: int, cursor: str | None = None
) -> tuple[list[EventView], str | None]:
    """Events, newest first, and a cursor to those that follow."""
    e = [sql.SQL("e.organization_id = {}").format(question.organization_id)]
    if question.customer is not None:
        e.append(sql.SQL("e.subject = {}").format(sql.Literal(question.customer)))
    if question.type is not None:
        e.append(sql.SQL("e.type = {}").format(sql.Literal(question.type)))
    if question.start is not None:
        e.append(sql.SQL("e.time >= {}").format(sql.Literal(question.start)))
    if question.end is not None:
        e.append(sql.SQL("e.time < {}").format(sql.Literal(question.end)))
    e += [sql.SQL("{} = {}").format(json_text((name,)), sql.Literal(value)) for name, value in question.data.items()]
    return _fetch(e, limit=limit, cursor=cursor, newest_first=True)


_FIND = """
SELECT e.identity, e.organization_id, e.source, e.event_id, e.type, e.subject, e.time, e.received_at, e.data,
       e.xid::text
FROM metering_usageevent e JOIN metering_eventidentity i ON i.identity = %(identity)s
WHERE e.organization_id = %(organization)s AND e.time = i.time AND e.identity = i.identity
"""


def find_event(*, organization_id: int, identity: UUID) -> UsageEvent | None:
    """The organization's event with this identity."""
    return next(iter(UsageEvent.objects.raw(_FIND, {"identity": identity, "organization": organization_id})), None)


def line_events(question: LineQuestion, *, limit: int, cursor: str | None = None) -> tuple[list[EventView], str | None]:
    """The very events that an invoice line counted, oldest first, and a cursor to those that follow.

    The same condition as the line's usage, on the same transactions: what came later is not among them.
    """
    conditions, _, _ = _of_line(question)
    return _fetch(conditions, limit=limit, cursor=cursor, newest_first=False)


def line_quantity(question: LineQuestion) -> tuple[Decimal, int]:
    """What those events come to by the line's meter, computed anew from the log, and how many they are."""
    conditions, meter, aggregation = _of_line(question)
    quantity = sql.SQL("COUNT(DISTINCT value)") if aggregation == "unique_count" else COMBINE[aggregation]
    statement = sql.SQL(_LINE_QUANTITY).format(
        combine=quantity, value=meter.value, quantity=meter.quantity, where=sql.SQL(" AND ").join(conditions)
    )
    with connection.cursor() as db:
        db.execute(statement.as_string(db.connection))
        found, events = db.fetchone()
    return Decimal(found or 0), int(events)


def _of_line(question: LineQuestion) -> tuple[list[Any], CompiledMeter, str]:
    """The conditions on a line's events, and the meter that counted them with its aggregation."""
    version = MeterVersion.objects.select_related("meter").get(pk=question.meter_version_id)
    definition = definition_of(version)
    meter = compile_meter(definition)
    snapshot = sql.Literal(question.snapshot)
    conditions = [
        sql.SQL("e.organization_id = {}").format(version.meter.organization_id),
        sql.SQL("e.subject = {}").format(sql.Literal(question.customer)),
        sql.SQL("e.time >= {}").format(sql.Literal(question.period.start)),
        sql.SQL("e.time < {}").format(sql.Literal(question.period.end)),
        meter.condition,
        sql.SQL("pg_visible_in_snapshot(e.xid, {}::pg_snapshot)").format(snapshot),
        sql.SQL("(c.id IS NULL OR NOT pg_visible_in_snapshot(c.xid, {}::pg_snapshot))").format(snapshot),
    ]
    paths = dict(definition.dimensions)
    conditions += [
        sql.SQL("{} = {}").format(json_text(paths[name]), sql.Literal(value)) for name, value in question.where.items()
    ]
    return conditions, meter, definition.aggregation


def _fetch(
    conditions: list[Any], *, limit: int, cursor: str | None, newest_first: bool
) -> tuple[list[EventView], str | None]:
    if cursor:
        conditions = [*conditions, _after(cursor, newest_first)]
    statement = sql.SQL(_SELECT).format(
        where=sql.SQL(" AND ").join(conditions),
        direction=sql.SQL("DESC" if newest_first else "ASC"),
        limit=limit + 1,
    )
    with connection.cursor() as db:
        db.execute(statement.as_string(db.connection))
        rows = db.fetchall()
    following = encode_cursor([rows[limit - 1][5].isoformat(), str(rows[limit - 1][0])]) if len(rows) > limit else None
    return [_view(row) for row in rows[:limit]], following


def _after(cursor: str, newest_first: bool) -> Fragment:
    position = decode_cursor(cursor)
    try:
        time, identity = datetime.fromisoformat(position[0]), UUID(position[1])
    except (ValueError, TypeError, AttributeError, IndexError):
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid") from None
    return sql.SQL("(e.time, e.identity) {} ({}, {})").format(
        sql.SQL("<" if newest_first else ">"), sql.Literal(time), sql.Literal(identity)
    )


def _view(row: tuple[Any, ...]) -> EventView:
    identity, event_id, source, type_, subject, time, received_at, data, voided = row
    value = json.loads(data) if isinstance(data, str) else data
    return EventView(str(identity), event_id, source, type_, subject, time, received_at, value, voided)
