"""Answers about usage: the projection up to its watermark plus the tail behind it, in one statement.

A period is put together of the largest buckets that fit between its cuts; the log itself is read for what
is left of it, and for aggregations that do not add up: slower, and as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql

from accounts.facade import unseal
from kernel.errors import InvalidError
from kernel.period import Period
from metering.archive.recall import Archives, Load, Rows, ask
from metering.archive.selection import Selection
from metering.compiler import COMBINE, CompiledMeter, Fragment, compile_meter, naming
from metering.contracts import UsageQuestion, UsageRow
from metering.domain.meters import PROJECTED, MeterDefinition
from metering.domain.windows import HOUR, QUARTER, Pieces, check_window, day_of, take_apart, window_end, window_start
from metering.models import MeterVersion, Scope
from metering.queries.meters import definition_of, get_meter_version

_ROWS = """
SELECT e.time AS at, e.identity AS tie, e.subject, {dimensions} AS dimensions, {value} AS value,
       {sign}::bigint AS events, {sign} * {quantity} AS quantity
FROM {source}
WHERE {condition} AND {extra}
"""

_DAYS = """
SELECT day AS at, NULL::uuid AS tie, subject, dimensions, value, events, quantity
FROM metering_usagebucket
WHERE {bucket} AND day >= {first} AND day < {end} AND day <@ {periods}
"""

_PARTS = """
SELECT part.start AS at, NULL::uuid AS tie, subject, dimensions, value, part.events, part.quantity
FROM metering_usagebucket
CROSS JOIN LATERAL unnest(part_starts, part_events, part_quantities) AS part (start, events, quantity)
WHERE {bucket} AND day >= {first} AND day < {end} AND part.start <@ {periods}
"""


class DimensionUnknown(InvalidError):
    code = "dimension_unknown"


def usage(question: UsageQuestion) -> list[UsageRow]:
    """The rows that answer a question, by start, customer and group. Windows without usage are left out,
    but a question for one total and no groups always has its one row.

    Raises `MeterNotFound`, `WindowInvalid`, `DimensionUnknown`.
    """
    version = get_meter_version(organization_id=question.organization_id, meter=question.meter)
    rows = usage_of_version(version, question)
    if not question.group_by:
        return rows
    groups = unseal([row.group for row in rows], organization_id=question.organization_id)
    return [row if row.group is group else replace(row, group=group) for row, group in zip(rows, groups, strict=True)]


def usage_of_version(version: MeterVersion, question: UsageQuestion) -> list[UsageRow]:
    """As `usage`, for a given version of a meter, an old one too."""
    check_window(question.period, question.window)
    definition = definition_of(version)
    zone = ZoneInfo(question.timezone)
    query = _Query(version, definition, question)
    found = ask(
        lambda log: query.statement(query.rows(log)),
        organization_id=question.organization_id,
        period=question.period,
        plan=query.plan,
        version_id=version.pk,
    )
    rows = [_present(row, question, zone) for row in found]
    if not rows and question.window == "total" and not question.group_by and not question.by_customer:
        rows = [UsageRow(question.period.start, question.period.end, None, {}, Decimal(0), 0)]
    return rows


class _Query:
    """The parts of one usage statement."""

    def __init__(self, version: MeterVersion, definition: MeterDefinition, question: UsageQuestion) -> None:
        self.version, self.definition, self.question = version, definition, question
        self.meter: CompiledMeter = compile_meter(definition)
        unknown = [n for n in (*question.group_by, *question.where) if n not in definition.dimension_names]
        if unknown:
            names = ", ".join(definition.dimension_names) or "none"
            raise DimensionUnknown(f"This meter has no dimension {unknown[0]!r}; it has: {names}")
        self.is_whole = question.customers is None and not question.by_customer
        self.pieces = Pieces(rest=(question.period,))
        if definition.aggregation in PROJECTED and not version.unbounded and question.names is None:
            grain = QUARTER if self.is_whole else HOUR
            self.pieces = take_apart(question.period, question.window, ZoneInfo(question.timezone), grain)

    @property
    def uses_buckets(self) -> bool:
        return bool(self.pieces.days or self.pieces.grains)

    def plan(self, archives: Archives, _: Rows) -> list[Load]:
        """What is needed of archives: the pieces that buckets do not cover, and what is not in the buckets yet."""
        loads = []
        for part in archives.parts:
            is_ahead = self.uses_buckets and archives.is_ahead(part)
            periods = (self.question.period,) if is_ahead else self.pieces.rest
            if periods:
                selection = Selection(
                    self.question.organization_id, periods, (self.definition.event_type,), self.question.customers
                )
                taken = archives.taken.get(str(part.archive_id), 0) if self.uses_buckets else 0
                loads.append(Load(part.archive_id, selection, taken))
        return loads

    def rows(self, log: Fragment) -> Fragment:
        """What the answer adds up: buckets and events of `log`, these with +1 or -1."""
        pieces = self.pieces
        if not self.uses_buckets:
            return self._from_log(log, pieces.rest)
        # Transaction 0, which is none, is that of archived events that are in the buckets.
        watermark = sql.SQL("(SELECT GREATEST(projected_to, '1') FROM metering_meterversion WHERE id = {})").format(
            self.version.pk
        )
        scope = Scope.ORGANIZATION if self.is_whole else Scope.CUSTOMER
        found = [
            self._buckets(select, scope, periods)
            for select, periods in ((_DAYS, pieces.days), (_PARTS, pieces.grains))
            if periods
        ]
        if pieces.rest:
            found.append(self._from_log(log, pieces.rest, below=watermark))
        return sql.SQL(" UNION ALL ").join([*found, *self._tail(log, watermark)])

    def _buckets(self, select: str, scope: Scope, periods: tuple[Period, ...]) -> Fragment:
        """The days, or the parts of days, that lie in any of `periods`."""
        spans = ",".join(f"[{period.start.isoformat()},{period.end.isoformat()})" for period in periods)
        return sql.SQL(select).format(
            bucket=sql.SQL("meter_version_id = {} AND scope = {} AND {}").format(
                self.version.pk, scope.value, self._customers()
            ),
            first=_instant(day_of(periods[0].start)),
            end=_instant(periods[-1].end),
            periods=sql.SQL("{}::tstzmultirange").format(sql.Literal(f"{{{spans}}}")),
        )

    def _tail(self, log: Fragment, watermark: Fragment) -> list[Fragment]:
        """The events and corrections that came after the watermark.

        It was no lower when the version was read. Said as a number, the planner knows how short the tail is.
        """
        return signed_rows(
            self.meter,
            log,
            self._organization(),
            sql.SQL(
                "e.xid >= {seen}::xid8 AND e.xid >= {watermark}"
                " AND e.time >= {start} AND e.time < {end} AND {customers}"
            ).format(
                seen=sql.Literal(str(self.version.projected_to)),
                watermark=watermark,
                start=_instant(self.question.period.start),
                end=_instant(self.question.period.end),
                customers=self._customers(),
            ),
        )

    def _from_log(self, log: Fragment, periods: tuple[Period, ...], below: Fragment | None = None) -> Fragment:
        """The events of `periods` that were not taken back, of all transactions or as it was `below` one."""
        conditions = sql.SQL("organization_id = {} AND {} AND {}").format(
            self._organization(), self._customers(), naming(self.question.names, self.question.unnamed)
        )
        seen: Fragment = sql.SQL("TRUE")
        corrected: Fragment = sql.SQL("c.event_id = e.identity")
        if below is not None:
            seen = sql.SQL("e.xid < {}").format(below)
            corrected = sql.SQL("{} AND c.xid < {}").format(corrected, below)
        extra = sql.SQL("{} AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE {})").format(seen, corrected)
        return _rows(self.meter, _within(log, periods, conditions), 1, extra)

    def statement(self, source: Fragment) -> sql.Composed:
        question = self.question
        start = self._window_start()
        columns: list[Fragment] = [sql.SQL("{} AS start").format(start)]
        columns.append(sql.SQL("subject") if question.by_customer else sql.SQL("NULL::text AS subject"))
        columns += [
            sql.SQL("dimensions[{}] AS {}").format(self._position(name), sql.Identifier(f"d{i}"))
            for i, name in enumerate(question.group_by)
        ]
        keys = ["start", "subject", *(f"d{i}" for i in range(len(question.group_by)))]
        by = sql.SQL(", ").join(map(sql.Identifier, keys))
        places = sql.SQL(", ").join(sql.SQL(str(i + 1)) for i in range(len(keys)))
        inner = sql.SQL("SELECT {}, at, tie, value, events, quantity FROM ({}) signed_rows WHERE {}").format(
            sql.SQL(", ").join(columns), source, self._where()
        )
        if self.definition.aggregation == "unique_count":
            # A value is there if more events brought it than were taken back; then it counts once.
            return sql.SQL(
                "SELECT {by}, COUNT(*)::numeric, SUM(events) FROM (SELECT {by}, value, SUM(events) AS events"
                " FROM ({inner}) grouped GROUP BY {by}, value HAVING SUM(events) > 0) present"
                " GROUP BY {by} ORDER BY {places}"
            ).format(by=by, inner=inner, places=places)
        return sql.SQL(
            "SELECT {by}, {combine}, SUM(events) FROM ({inner}) grouped GROUP BY {by}"
            " HAVING SUM(events) <> 0 ORDER BY {places}"
        ).format(by=by, combine=COMBINE[self.definition.aggregation], inner=inner, places=places)

    def _window_start(self) -> Fragment:
        if self.question.window == "total":
            return _instant(self.question.period.start)
        return sql.SQL("date_trunc({}, at, {})").format(
            sql.Literal(self.question.window), sql.Literal(self.question.timezone)
        )

    def _organization(self) -> Fragment:
        return sql.Literal(self.question.organization_id)

    def _customers(self) -> Fragment:
        if self.question.customers is None:
            return sql.SQL("TRUE")
        return sql.SQL("subject = ANY({})").format(sql.Literal(list(self.question.customers)))

    def _position(self, name: str) -> Fragment:
        return sql.SQL(str(self.definition.dimension_names.index(name) + 1))

    def _where(self) -> Fragment:
        tests = [
            sql.SQL("dimensions[{}] = {}").format(self._position(name), sql.Literal(value))
            for name, value in sorted(self.question.where.items())
        ]
        return sql.SQL(" AND ").join([sql.SQL("TRUE"), *tests])


#: Corrections as the events that they take back, of the correction's transaction.
_CORRECTIONS = sql.SQL(
    "(SELECT organization_id, xid, event_id AS identity, type, subject, time, data FROM metering_eventcorrection) e"
)


def signed_rows(meter: CompiledMeter, log: Fragment, organization: Fragment, extra: Fragment) -> list[Fragment]:
    """Two selects: events as +1, and events taken back as -1, each of the transaction `e.xid` that did it.

    Used by the live tail and by the projection alike.
    """
    condition = sql.SQL("e.organization_id = {} AND {}").format(organization, extra)
    return [event_rows(meter, log, condition), _rows(meter, _CORRECTIONS, -1, condition)]


def event_rows(meter: CompiledMeter, log: Fragment, condition: Fragment) -> Fragment:
    """The events of `log` that a meter counts and that meet a condition on `e`, as +1."""
    return _rows(meter, sql.SQL("{} e").format(log), 1, condition)


def _rows(meter: CompiledMeter, source: Fragment, sign: int, extra: Fragment) -> Fragment:
    return sql.SQL(_ROWS).format(
        dimensions=meter.dimensions,
        value=meter.value,
        sign=sql.SQL(str(sign)),
        quantity=meter.quantity,
        source=source,
        condition=meter.condition,
        extra=extra,
    )


def _within(log: Fragment, periods: tuple[Period, ...], conditions: Fragment) -> Fragment:
    """The events of `log` in any of `periods`, as `e`. OFFSET 0 keeps the planner at one index scan per period; the
    outer bounds tell it which partitions they are in."""
    bounded = sql.SQL("SELECT * FROM {} log WHERE {} AND time >= {} AND time < {}").format(
        log, conditions, _instant(periods[0].start), _instant(periods[-1].end)
    )
    if len(periods) == 1:
        return sql.SQL("({}) e").format(bounded)
    return sql.SQL(
        "unnest({starts}::timestamptz[], {ends}::timestamptz[]) AS span (a, b) CROSS JOIN LATERAL"
        " ({bounded} AND time >= span.a AND time < span.b OFFSET 0) e"
    ).format(
        starts=sql.Literal([period.start for period in periods]),
        ends=sql.Literal([period.end for period in periods]),
        bounded=bounded,
    )


def _instant(time: datetime) -> Fragment:
    return sql.SQL("{}::timestamptz").format(sql.Literal(time))


def _present(row: Sequence[Any], question: UsageQuestion, zone: ZoneInfo) -> UsageRow:
    start: datetime = row[0]
    end = question.period.end
    if question.window != "total":
        # Where clocks go back over midnight, PostgreSQL names the second of the two.
        start = window_start(start, question.window, zone)
        end = min(end, window_end(start, question.window, zone))
        start = max(start, question.period.start)
    group = dict(zip(question.group_by, row[2:-2], strict=True))
    return UsageRow(start, end, row[1], group, row[-2], int(row[-1]))
