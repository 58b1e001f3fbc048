"""Answers about usage: the projection up to its watermark plus the tail behind it, in one statement.

Where the projection cannot answer (a cut off the full hour, an aggregation that does not add up)
the log itself is read: slower, and as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from psycopg import sql

from kernel.errors import InvalidError
from metering.compiler import COMBINE, CompiledMeter, Fragment, compile_meter
from metering.contracts import UsageQuestion, UsageRow
from metering.domain.meters import PROJECTED, MeterDefinition
from metering.domain.windows import check_window, cuts_on_the_hour, window_end
from metering.models import MeterVersion
from metering.queries.meters import definition_of, get_meter_version

_TAIL = """
SELECT e.time AS at, e.identity AS tie, e.subject, {dimensions} AS dimensions, {value} AS value,
       {sign}::bigint AS events, {sign} * {quantity} AS quantity
FROM {source}
WHERE {condition} AND e.time >= {start} AND e.time < {end} AND {extra}
"""


class DimensionUnknown(InvalidError):
    code = "dimension_unknown"


def usage(question: UsageQuestion) -> list[UsageRow]:
    """The rows that answer a question, by start, customer and group. Windows without usage are left out,
    but a question for one total and no groups always has its one row.

    Raises `MeterNotFound`, `WindowInvalid`, `DimensionUnknown`.
    """
    version = get_meter_version(organization_id=question.organization_id, meter=question.meter)
    return usage_of_version(version, question)


def usage_of_version(version: MeterVersion, question: UsageQuestion) -> list[UsageRow]:
    """As `usage`, for a given version of a meter, an old one too."""
    check_window(question.period, question.window)
    definition = definition_of(version)
    zone = ZoneInfo(question.timezone)
    query = _Query(version, definition, question)
    projected = definition.aggregation in PROJECTED and cuts_on_the_hour(question.period, question.window, zone)
    statement = query.statement(query.from_projection_and_tail() if projected else query.from_log())
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        found = cursor.fetchall()
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

    def from_projection_and_tail(self) -> Fragment:
        """Hours up to the watermark, then the events and corrections that came after it."""
        watermark = sql.SQL("(SELECT projected_to FROM metering_meterversion WHERE id = {})").format(self.version.pk)
        buckets = sql.SQL(
            "SELECT e.hour AS at, NULL::uuid AS tie, e.subject, e.dimensions, e.value, e.events, e.quantity"
            " FROM metering_usagebucket e"
            " WHERE e.meter_version_id = {} AND e.hour >= {} AND e.hour < {} AND {}"
        ).format(self.version.pk, *self._bounds(), self._customers())
        return sql.SQL(" UNION ALL ").join(
            [
                buckets,
                *signed_rows(
                    self.meter,
                    self._organization(),
                    self._bounds(),
                    sql.SQL("{table}.xid >= {watermark} AND {customers}"),
                    watermark=watermark,
                    customers=self._customers(),
                ),
            ]
        )

    def from_log(self) -> Fragment:
        """Every event of the period that was not taken back."""
        extra = sql.SQL(
            "e.organization_id = {} AND {}"
            " AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE c.event_id = e.identity)"
        ).format(self._organization(), self._customers())
        return _rows(self.meter, sql.SQL("metering_usageevent e"), 1, self._bounds(), extra)

    def statement(self, source: Fragment) -> sql.Composed:
        question = self.question
        start = self._window_start()
        columns = [sql.SQL("{} AS start").format(start)]
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
            return sql.SQL("{}::timestamptz").format(sql.Literal(self.question.period.start))
        return sql.SQL("date_trunc({}, at, {})").format(
            sql.Literal(self.question.window), sql.Literal(self.question.timezone)
        )

    def _organization(self) -> Fragment:
        return sql.Literal(self.question.organization_id)

    def _bounds(self) -> tuple[Fragment, Fragment]:
        period = self.question.period
        return (
            sql.SQL("{}::timestamptz").format(sql.Literal(period.start)),
            sql.SQL("{}::timestamptz").format(sql.Literal(period.end)),
        )

    def _customers(self) -> Fragment:
        if self.question.customers is None:
            return sql.SQL("TRUE")
        return sql.SQL("e.subject = ANY({})").format(sql.Literal(list(self.question.customers)))

    def _position(self, name: str) -> Fragment:
        return sql.SQL(str(self.definition.dimension_names.index(name) + 1))

    def _where(self) -> Fragment:
        tests = [
            sql.SQL("dimensions[{}] = {}").format(self._position(name), sql.Literal(value))
            for name, value in sorted(self.question.where.items())
        ]
        return sql.SQL(" AND ").join([sql.SQL("TRUE"), *tests])


def signed_rows(
    meter: CompiledMeter, organization: Fragment, bounds: tuple[Fragment, Fragment], extra: sql.SQL, **parts: Fragment
) -> list[Fragment]:
    """Two selects: events as +1, and events taken back as -1. `extra` may name `{table}`, the side that
    carries the transaction id. Used by the live tail and by the projection alike.
    """
    events = sql.SQL("e.organization_id = {} AND {}").format(
        organization, extra.format(table=sql.Identifier("e"), **parts)
    )
    taken_back = sql.SQL("c.organization_id = {} AND {}").format(
        organization, extra.format(table=sql.Identifier("c"), **parts)
    )
    join = sql.SQL("metering_eventcorrection c JOIN metering_usageevent e ON e.identity = c.event_id")
    return [
        _rows(meter, sql.SQL("metering_usageevent e"), 1, bounds, events),
        _rows(meter, join, -1, bounds, taken_back),
    ]


def _rows(
    meter: CompiledMeter, source: Fragment, sign: int, bounds: tuple[Fragment, Fragment], extra: Fragment
) -> Fragment:
    return sql.SQL(_TAIL).format(
        dimensions=meter.dimensions,
        value=meter.value,
        sign=sql.SQL(str(sign)),
        quantity=meter.quantity,
        source=source,
        condition=meter.condition,
        start=bounds[0],
        end=bounds[1],
        extra=extra,
    )


def _present(row: Sequence[Any], question: UsageQuestion, zone: ZoneInfo) -> UsageRow:
    start: datetime = row[0]
    end = question.period.end
    if question.window != "total":
        end = min(end, window_end(start, question.window, zone))
        start = max(start, question.period.start)
    group = dict(zip(question.group_by, row[2:-2], strict=True))
    return UsageRow(start, end, row[1], group, row[-2], int(row[-1]))
