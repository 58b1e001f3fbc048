"""Looking into the log: the events of a customer, an agent, a task; the events behind an invoice line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import sql

from accounts.facade import unseal
from kernel.errors import InvalidError
from kernel.period import Period
from metering.archive.newest import newest
from metering.archive.recall import Rows, ask, everything, if_missing
from metering.archive.selection import Selection, plain_texts
from metering.compiler import COMBINE, Fragment, compile_meter, json_text, naming
from metering.contracts import EventView
from metering.models import ArchivedOrganization, EventIdentity, MeterVersion, UsageEvent
from metering.queries.meters import definition_of
from rest.pagination import decode_cursor, encode_cursor

_SELECT = """
SELECT e.identity, e.event_id, e.source, e.type, e.subject, e.time, e.received_at, e.data, c.id IS NOT NULL, e.sent_by,
       e.subscription
FROM {log} e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
WHERE {where}
ORDER BY e.time {direction}, e.identity {direction} LIMIT {limit}
"""

_EVENT = (
    *("identity", "organization_id", "source", "event_id", "type", "subject", "time", "received_at", "data", "xid"),
    "sent_by",
    "subscription",
)
_FIND = """
SELECT e.identity, e.organization_id, e.source, e.event_id, e.type, e.subject, e.time, e.received_at, e.data::text,
       e.xid::text, e.sent_by, e.subscription
FROM {log} e
WHERE e.organization_id = {organization} AND e.time = {time} AND e.identity = {identity}
"""

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(3100, 1, 1, tzinfo=UTC)

_LINE_QUANTITY = """
SELECT COUNT(*), {combine} FROM (
    SELECT e.time AS at, e.identity AS tie, {value} AS value, 1::bigint AS events, {quantity} AS quantity
    FROM {log} e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
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
    sent_by: str | None = None


@dataclass(frozen=True, slots=True)
class LineQuestion:
    """What an invoice line counted: which meter version, whose usage, when, under which dimensions, and
    which transactions its rating could see (`snapshot`, a PostgreSQL `pg_snapshot` as text). `names` and `unnamed` say
    which events by the subscription they name, as in `UsageQuestion`."""

    meter_version_id: int
    customer: str
    period: Period
    where: Mapping[str, str]
    snapshot: str
    names: tuple[str, ...] | None = None
    unnamed: bool = False


def list_events(
    question: EventQuestion, *, limit: int, cursor: str | None = None
) -> tuple[list[EventView], str | None]:
    """Events, newest first, and a cursor to those that follow. Raises `ArchiveUnavailable`."""
    e = [sql.SQL("e.organization_id = {}").format(question.organization_id)]
    if question.customer is not None:
        e.append(sql.SQL("e.subject = {}").format(sql.Literal(question.customer)))
    if question.type is not None:
        e.append(sql.SQL("e.type = {}").format(sql.Literal(question.type)))
    if question.sent_by is not None:
        e.append(sql.SQL("e.sent_by = {}").format(sql.Literal(question.sent_by)))
    if question.start is not None:
        e.append(sql.SQL("e.time >= {}").format(sql.Literal(question.start)))
    if question.end is not None:
        e.append(sql.SQL("e.time < {}").format(sql.Literal(question.end)))
    e += [sql.SQL("{} = {}").format(json_text((name,)), sql.Literal(value)) for name, value in question.data.items()]
    last = _LAST if question.end is None else question.end
    if cursor:
        time, identity = _position(cursor)
        e.append(sql.SQL("(e.time, e.identity) < ({}, {})").format(sql.Literal(time), sql.Literal(identity)))
        last = min(last, time + timedelta(microseconds=1))
    first = _FIRST if question.start is None else question.start
    if first >= last:
        return [], None
    selection = Selection(
        question.organization_id,
        periods=(Period(first, last),),
        types=None if question.type is None else (question.type,),
        customers=None if question.customer is None else (question.customer,),
        texts=plain_texts(*question.data.values()),
        sent_by=question.sent_by,
    )
    rows = newest(partial(_statement, e, limit, "DESC"), selection=selection, wanted=limit + 1, time_at=5)
    return _page(rows, limit, question.organization_id)


def first_event_time(organization_id: int) -> datetime | None:
    """When the organization's first event was, in the log or in an archive; None where it has none."""
    times = [
        UsageEvent.objects.filter(organization_id=organization_id).order_by("time").values_list("time", flat=True)[:1],
        ArchivedOrganization.objects.filter(organization_id=organization_id)
        .order_by("first_time")
        .values_list("first_time", flat=True)[:1],
    ]
    return min((time for found in times for time in found), default=None)


def find_event(*, organization_id: int, identity: UUID) -> UsageEvent | None:
    """The organization's event with this identity. Raises `ArchiveUnavailable`."""
    known = EventIdentity.objects.filter(pk=identity).first()
    if known is None:
        return None
    moment = Period(known.time, known.time + timedelta(microseconds=1))

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_FIND).format(
            log=log, organization=organization_id, time=sql.Literal(known.time), identity=sql.Literal(identity)
        )

    plan = if_missing(Selection(organization_id, periods=(moment,)))
    rows = ask(statement, organization_id=organization_id, period=moment, plan=plan)
    if not rows:
        return None
    values = dict(zip(_EVENT, rows[0], strict=True))
    return UsageEvent(**values | {"data": json.loads(values["data"]), "xid": int(values["xid"])})


def line_events(question: LineQuestion, *, limit: int, cursor: str | None = None) -> tuple[list[EventView], str | None]:
    """The very events that an invoice line counted, oldest first, and a cursor to those that follow.

    The same condition as the line's usage, on the same transactions: what came later is not among them.
    Raises `ArchiveUnavailable`.
    """
    line = _Line(question)
    conditions = line.conditions
    if cursor:
        time, identity = _position(cursor)
        after = sql.SQL("(e.time, e.identity) > ({}, {})").format(sql.Literal(time), sql.Literal(identity))
        conditions = [*conditions, after]
    return _page(line.ask(partial(_statement, conditions, limit, "ASC")), limit, line.organization_id)


def line_quantity(question: LineQuestion) -> tuple[Decimal, int]:
    """What those events come to by the line's meter, computed anew from the log, and how many they are."""
    line = _Line(question)
    aggregation = line.definition.aggregation
    quantity = sql.SQL("COUNT(DISTINCT value)") if aggregation == "unique_count" else COMBINE[aggregation]

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_LINE_QUANTITY).format(
            combine=quantity,
            value=line.meter.value,
            quantity=line.meter.quantity,
            log=log,
            where=sql.SQL(" AND ").join(line.conditions),
        )

    [(events, found)] = line.ask(statement)
    return Decimal(found or 0), int(events)


class _Line:
    """The conditions on a line's events, and the meter that counted them."""

    def __init__(self, question: LineQuestion) -> None:
        version = MeterVersion.objects.select_related("meter").get(pk=question.meter_version_id)
        self.question, self.organization_id = question, version.meter.organization_id
        self.definition = definition_of(version)
        self.meter = compile_meter(self.definition)
        paths = dict(self.definition.dimensions)
        self.conditions = [
            sql.SQL("e.organization_id = {}").format(self.organization_id),
            sql.SQL("e.subject = {}").format(sql.Literal(question.customer)),
            sql.SQL("e.time >= {}").format(sql.Literal(question.period.start)),
            sql.SQL("e.time < {}").format(sql.Literal(question.period.end)),
            self.meter.condition,
            sql.SQL("pg_visible_in_snapshot(e.xid, {0}::pg_snapshot)").format(sql.Literal(question.snapshot)),
            sql.SQL("(c.id IS NULL OR NOT pg_visible_in_snapshot(c.xid, {}::pg_snapshot))").format(
                sql.Literal(question.snapshot)
            ),
            *(
                sql.SQL("{} = {}").format(json_text(paths[name]), sql.Literal(value))
                for name, value in question.where.items()
            ),
            naming(question.names, question.unnamed),
        ]

    def ask(self, statement: Callable[[Fragment], sql.Composable]) -> Rows:
        period, types = self.question.period, (self.definition.event_type,)
        selection = Selection(self.organization_id, (period,), types, (self.question.customer,))
        return ask(statement, organization_id=self.organization_id, period=period, plan=everything(selection))


def _statement(conditions: list[Any], limit: int, direction: str, log: Fragment) -> sql.Composed:
    return sql.SQL(_SELECT).format(
        log=log, where=sql.SQL(" AND ").join(conditions), direction=sql.SQL(direction), limit=limit + 1
    )


def _page(rows: Rows, limit: int, organization_id: int) -> tuple[list[EventView], str | None]:
    """The views of a page, with personal fields decrypted while their keys are there."""
    following = encode_cursor([rows[limit - 1][5].isoformat(), str(rows[limit - 1][0])]) if len(rows) > limit else None
    views = [_view(row) for row in rows[:limit]]
    data = unseal([view.data for view in views], organization_id=organization_id)
    return [replace(view, data=opened) for view, opened in zip(views, data, strict=True)], following


def _position(cursor: str) -> tuple[datetime, UUID]:
    """The time and identity of the event that a page ended with."""
    position = decode_cursor(cursor)
    try:
        time, identity = datetime.fromisoformat(position[0]), UUID(position[1])
        time + timedelta(microseconds=1)
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError):
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid") from None
    if time.tzinfo is None:
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid")
    return time, identity


def _view(row: tuple[Any, ...]) -> EventView:
    identity, event_id, source, type_, subject, time, received_at, data, voided, sent_by, subscription = row
    value = json.loads(data) if isinstance(data, str) else data
    return EventView(
        str(identity), event_id, source, type_, subject, time, received_at, value, voided, sent_by, subscription
    )
