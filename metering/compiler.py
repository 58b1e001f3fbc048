"""From a meter's definition to SQL, once: the projection, the live tail, the raw log and the list of
events behind a line all use what `compile_meter` returns, so they cannot drift apart.

All names below read the log's row as `e`. Values go in as literals, quoted by psycopg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import sql

from metering.domain.meters import Filter, MeterDefinition

Fragment = sql.Composable

_SQL_COMPARISON = {"gt": sql.SQL(">"), "gte": sql.SQL(">="), "lt": sql.SQL("<"), "lte": sql.SQL("<=")}

#: How a group of rows (signed: +1 for an event, -1 for a taken-back one) becomes a quantity.
COMBINE = {
    "count": sql.SQL("COALESCE(SUM(events), 0)"),
    "sum": sql.SQL("COALESCE(SUM(quantity), 0)"),
    "average": sql.SQL("COALESCE(SUM(quantity), 0) / NULLIF(SUM(events), 0)"),
    "max": sql.SQL("MAX(quantity)"),
    "min": sql.SQL("MIN(quantity)"),
    # The event with the latest time; of several at one instant, the one with the highest identity.
    "latest": sql.SQL("(ARRAY_AGG(quantity ORDER BY at DESC, tie DESC))[1]"),
}


@dataclass(frozen=True, slots=True)
class CompiledMeter:
    """SQL over the log's row `e`: does it count, with which number or value, under which dimensions."""

    condition: Fragment
    quantity: Fragment
    value: Fragment
    dimensions: Fragment


def compile_meter(definition: MeterDefinition) -> CompiledMeter:
    """The SQL of a definition."""
    conditions: list[Fragment] = [sql.SQL("e.type = {}").format(sql.Literal(definition.event_type))]
    conditions += [_condition(f) for f in definition.filters]
    quantity: Fragment = sql.SQL("1::numeric")
    value: Fragment = sql.SQL("NULL::text")
    if definition.value is not None:
        text = json_text(definition.value)
        if definition.aggregation == "unique_count":
            value = text
            conditions.append(sql.SQL("{} IS NOT NULL").format(text))
        else:
            quantity = sql.SQL("metering_number({})").format(text)
            conditions.append(sql.SQL("{} IS NOT NULL").format(quantity))
    paths = [json_text(path) for _, path in definition.dimensions]
    dimensions = sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(paths))
    return CompiledMeter(sql.SQL(" AND ").join(conditions), quantity, value, dimensions)


def naming(names: Sequence[str] | None, unnamed: bool) -> Fragment:
    """The condition that an event names a subscription by one of `names`, or, with `unnamed`, none."""
    if names is None:
        return sql.SQL("TRUE")
    named = sql.SQL("subscription = ANY({}::text[])").format(sql.Literal(list(names)))
    return sql.SQL("({} OR subscription IS NULL)").format(named) if unnamed else named


def json_text(path: tuple[str, ...]) -> Fragment:
    """The text at `path` of the event's data; NULL where it is missing or JSON's null."""
    if len(path) == 1:
        return sql.SQL("(e.data ->> {})").format(sql.Literal(path[0]))
    return sql.SQL("(e.data #>> {})").format(sql.Literal(list(path)))


def _json_value(path: tuple[str, ...]) -> Fragment:
    return sql.SQL("(e.data #> {})").format(sql.Literal(list(path)))


def _json_literal(value: Any) -> Fragment:
    """A scalar as jsonb; a Decimal as the JSON number it is, exactly."""
    encoded = format(value, "f") if isinstance(value, Decimal) else msgspec.json.encode(value).decode()
    return sql.SQL("{}::jsonb").format(sql.Literal(encoded))


def _condition(f: Filter) -> Fragment:
    """One filter. Missing data equals nothing and differs from everything: `ne` and `not_in` let it pass."""
    value = _json_value(f.path)
    if f.op == "exists":
        test = sql.SQL("{} IS NOT NULL") if f.value else sql.SQL("{} IS NULL")
        return test.format(json_text(f.path))
    if f.op in _SQL_COMPARISON:
        number = sql.SQL("metering_number({})").format(json_text(f.path))
        return sql.SQL("COALESCE({} {} {}::numeric, FALSE)").format(number, _SQL_COMPARISON[f.op], sql.Literal(f.value))
    choices = f.value if f.op in {"in", "not_in"} else [f.value]
    within = sql.SQL("COALESCE({} IN ({}), FALSE)").format(value, sql.SQL(", ").join(map(_json_literal, choices)))
    return within if f.op in {"eq", "in"} else sql.SQL("NOT {}").format(within)
