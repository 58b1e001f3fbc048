"""What calls of models used and cost over a period, for dashboards: few rows, however many tasks there were.

Costs are kept by the hour (UTC), and an hour belongs to the period and the window that it begins in. Whole days are
read from sums of their hours, where nobody asks about customers; where somebody does and it is not about agents, months
are, from which hours that do not belong to the period are taken off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Model
from psycopg import sql

from agents.domain.costs import Costs, RateTable, cost_of_calls
from agents.domain.days import nearest_months, take_apart
from agents.domain.summaries import QUANTITIES, CallTotals
from agents.models import CallDay, CallHour, CallMonth, CallUsage
from agents.queries.rates import RatesRead
from kernel.money import EXACT
from kernel.period import Period

#: What calls can be told apart by. Only by customer and agent does it take longer the more tasks there were.
WORK_GROUPS = ("customer", "agent", "provider", "model", "hardware", "region")

_RATED_BY = ("provider", "model", "hardware")
_PRICED_BY = (*_RATED_BY, "cost_currency")
_SUMMED = ("calls", *QUANTITIES, "cost")

_SELECT = """
SELECT {window} AS start, {groups}, {span}, sum(tasks), {sums}
FROM ({sources}) calls
GROUP BY {places} HAVING sum(calls) <> 0
"""

_SOURCE = """
SELECT {begin} AS begin, {tasks} AS tasks, {names}, {sums} FROM {table}
WHERE organization_id = {organization} AND ({within}) AND {extra}
"""


@dataclass(frozen=True, slots=True)
class WorkQuestion:
    """Calls that began in hours of `period`, by `group_by` (of `WORK_GROUPS`) and by `window` (day or month of `zone`,
    or total). `customers` are those with these keys, None for all; "" is what calls say that name nothing.

    With `only_costs`, tokens of calls that were reported with their cost are left out, which takes half as long.
    """

    organization_id: int
    period: Period
    group_by: tuple[str, ...] = ()
    window: str = "total"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    customers: Collection[str] | None = None
    agent: str | None = None
    model: str | None = None
    hardware: str | None = None
    region: str | None = None
    only_costs: bool = False


@dataclass(slots=True)
class WorkRow:
    """What calls of one group used and cost. `start` is when its window begins, None for the whole period.

    `tasks` are those whose first call of one kind (agent, model, hardware and region) was in it.
    """

    start: datetime | None
    group: dict[str, str]
    tasks: int = 0
    calls: int = 0
    quantities: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(QUANTITIES, Decimal(0)))
    costs: Costs = field(default_factory=Costs)


def work(question: WorkQuestion, *, rates: RatesRead | None = None) -> list[WorkRow]:
    """The rows that answer a question, in no order. Three queries, two where nothing was called.

    With `rates`, of the same organization, only what they have not read yet is asked for beside the rows.
    """
    rates = rates or RatesRead(question.organization_id)
    changes = rates.changes(question.period)
    with connection.cursor() as cursor:
        cursor.execute(_statement(question, changes))
        found = cursor.fetchall()
    if not found:
        return []
    names = _columns(question)
    parts = [_part(zip(["start", *names, "span", "tasks", *_SUMMED], row, strict=True)) for row in found]
    table = rates.table({part["model"] for part in parts})
    begins = [question.period.start, *changes]
    rows: dict[Any, WorkRow] = {}
    for part in parts:
        group = {name: part[name] or "" for name in question.group_by}
        key = part["start"], *group.values()
        if key not in rows:
            rows[key] = WorkRow(part["start"], group)
        _add(rows[key], part, begins[part["span"]], table)
    return list(rows.values())


def _part(columns: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    part = dict(columns)
    return dict(zip(_RATED_BY, part.pop("rated_by", None) or ("", "", ""), strict=True)) | part


def _add(row: WorkRow, part: dict[str, Any], at: datetime, table: RateTable) -> None:
    used = CallTotals(None, at, None, None, None, **{name: part[name] for name in (*_PRICED_BY, *_SUMMED)})
    row.tasks += int(part["tasks"])
    row.calls += int(used.calls)
    row.costs.add(cost_of_calls(used, table))
    for name in QUANTITIES:
        if quantity := part[name]:
            row.quantities[name] = EXACT.add(row.quantities[name], quantity)


@dataclass(frozen=True, slots=True)
class _Source:
    """Sums of one table that begin `at` one of `periods`; with `sign` -1 they are taken off the sums of their month."""

    table: type[Model]
    at: str
    periods: list[Period]
    sign: int = 1


def _sources(question: WorkQuestion, changes: list[datetime]) -> list[_Source]:
    """The tables that answer a question: those of them that are much smaller than `CallUsage`, as far as they know."""
    if question.customers is None and "customer" not in question.group_by:
        days, hours = take_apart(question.period, window=question.window, zone=question.zone, changes=changes)
        found = [_Source(CallDay, "day", days), _Source(CallHour, "hour", hours)]
    elif question.window != "total" or question.agent is not None or "agent" in question.group_by:
        found = [_Source(CallUsage, "hour", [question.period])]
    else:
        months, more, less = nearest_months(question.period, changes=changes)
        found = [
            _Source(CallMonth, "month", months),
            _Source(CallUsage, "hour", more),
            _Source(CallUsage, "hour", less, sign=-1),
        ]
    return [one for one in found if one.periods]


def _statement(question: WorkQuestion, changes: list[datetime]) -> sql.Composed:
    columns = _columns(question)
    return sql.SQL(_SELECT).format(
        window=_window(question),
        groups=sql.SQL(", ").join(map(_column, columns)),
        span=sql.SQL("width_bucket(begin, {}::timestamptz[])").format(sql.Literal(changes))
        if changes
        else sql.SQL("0"),
        sums=sql.SQL(", ").join(_sum(question, name) for name in _SUMMED),
        sources=sql.SQL(" UNION ALL ").join(_select(one, question) for one in _sources(question, changes)),
        places=sql.SQL(", ").join(sql.SQL(str(place + 1)) for place in range(len(columns) + 2)),
    )


def _select(source: _Source, question: WorkQuestion) -> sql.Composed:
    at, sign = sql.Identifier(source.at), sql.SQL("-" if source.sign < 0 else "")
    within = (
        sql.SQL("{at} >= {start} AND {at} < {end}").format(
            at=at, start=sql.Literal(one.start), end=sql.Literal(one.end)
        )
        for one in source.periods
    )
    names = dict.fromkeys([*_columns(question), *_PRICED_BY])
    names.pop("rated_by", None)
    return sql.SQL(_SOURCE).format(
        begin=sql.SQL("date_trunc('month', {}, 'UTC')").format(at) if source.sign < 0 else at,
        tasks=sign + sql.SQL("is_first::int" if source.table is CallUsage else "tasks"),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        sums=sql.SQL(", ").join(sign + sql.Identifier(name) for name in _SUMMED),
        table=sql.Identifier(source.table._meta.db_table),
        organization=sql.Literal(question.organization_id),
        within=sql.SQL(" OR ").join(within),
        extra=_filters(question),
    )


def _columns(question: WorkQuestion) -> list[str]:
    priced_by = ("rated_by", "cost_currency") if question.only_costs else _PRICED_BY
    return list(dict.fromkeys([*question.group_by, *priced_by]))


def _column(name: str) -> sql.Composable:
    """`rated_by` is what a price follows from, as one value to sort by; nothing, where the cost was reported."""
    if name != "rated_by":
        return sql.Identifier(name)
    names = sql.SQL(", ").join(map(sql.Identifier, _RATED_BY))
    return sql.SQL("CASE WHEN cost_currency IS NULL THEN ARRAY[{}] END").format(names)


def _sum(question: WorkQuestion, name: str) -> sql.Composable:
    if not question.only_costs or name in {"calls", "cost", "compute_seconds"}:
        return sql.SQL("sum({})").format(sql.Identifier(name))
    return sql.SQL("coalesce(sum({}) FILTER (WHERE cost_currency IS NULL), 0)").format(sql.Identifier(name))


def _window(question: WorkQuestion) -> sql.Composable:
    if question.window == "total":
        return sql.SQL("NULL::timestamptz")
    return sql.SQL("greatest(date_trunc({}, begin, {}), {})").format(
        sql.Literal(question.window), sql.Literal(question.zone.key), sql.Literal(question.period.start)
    )


def _filters(question: WorkQuestion) -> sql.Composable:
    tests: list[sql.Composable] = [sql.SQL("TRUE")]
    if question.customers is not None:
        tests.append(sql.SQL("customer = ANY({})").format(sql.Literal(list(question.customers))))
    for name in ("agent", "model", "hardware", "region"):
        value = getattr(question, name)
        if value is not None:
            tests.append(sql.SQL("coalesce({}, '') = {}").format(sql.Identifier(name), sql.Literal(value)))
    return sql.SQL(" AND ").join(tests)
