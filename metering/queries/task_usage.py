"""What meters count of single tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from psycopg import sql

from metering.archive.recall import ask, everything
from metering.archive.selection import Selection
from metering.compiler import COMBINE, Fragment, compile_meter, json_text
from metering.domain.meters import parse_meter
from metering.models import MeterVersion

_EVENTS = """
WITH e AS MATERIALIZED (
    SELECT e.*, e.data ->> 'task_id' AS task_id FROM {log} e
    LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
    WHERE e.organization_id = {organization} AND (e.xid = ANY({transactions}::xid8[]) OR e.xid >= {since}::xid8)
      AND e.data ->> 'task_id' = ANY({tasks}) AND c.id IS NULL
)
{parts}
"""

_PART = """
SELECT {place}, task_id, subject, {combine} FROM (
    SELECT e.task_id, e.subject, e.time AS at, e.identity AS tie, {value} AS value, 1::bigint AS events,
           {quantity} AS quantity
    FROM e WHERE {condition}
) counted GROUP BY task_id, subject
"""


@dataclass(frozen=True, slots=True)
class TaskMeter:
    """A meter version under some of its dimensions, as a price counts it."""

    version: MeterVersion
    where: Mapping[str, str]


def usage_of_tasks(
    *,
    organization_id: int,
    meters: Sequence[TaskMeter],
    task_ids: Sequence[str],
    transactions: Sequence[int],
    since: int,
) -> dict[tuple[int, str, str | None], Decimal]:
    """What each of `meters` counts of each task, by (its place, task id, customer); nothing is left out.

    The tasks' events are looked for in `transactions`, and in all from the transaction `since` on. One statement.
    """
    if not meters or not task_ids:
        return {}

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_EVENTS).format(
            log=log,
            organization=organization_id,
            transactions=sql.Literal([str(xid) for xid in transactions]),
            since=sql.Literal(str(since)),
            tasks=sql.Literal(list(task_ids)),
            parts=sql.SQL(" UNION ALL ").join(_part(place, meter) for place, meter in enumerate(meters)),
        )

    selection = Selection(organization_id, first_xid=since, transactions=tuple(transactions))
    rows = ask(statement, organization_id=organization_id, period=None, plan=everything(selection))
    return {(place, task_id, customer): Decimal(found) for place, task_id, customer, found in rows if found}


def _part(place: int, meter: TaskMeter) -> sql.Composed:
    definition = parse_meter(meter.version.definition)
    compiled = compile_meter(definition)
    paths = dict(definition.dimensions)
    conditions = [
        compiled.condition,
        *(sql.SQL("{} = {}").format(json_text(paths[name]), sql.Literal(value)) for name, value in meter.where.items()),
    ]
    unique = definition.aggregation == "unique_count"
    return sql.SQL(_PART).format(
        place=place,
        combine=sql.SQL("COUNT(DISTINCT value)") if unique else COMBINE[definition.aggregation],
        value=compiled.value,
        quantity=compiled.quantity,
        condition=sql.SQL(" AND ").join(conditions),
    )
