"""What work cost over a period, by whom it was for and what did it; from the projection, by the rates of each hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from agents.domain.costs import Costs, cost_of_calls
from agents.domain.summaries import QUANTITIES, CallTotals
from agents.models import CallUsage
from agents.queries.rates import rate_table
from kernel.errors import InvalidError
from kernel.money import EXACT

#: What costs can be told apart by.
GROUPS = ("customer", "agent", "provider", "model", "hardware")

_PRICED_BY = ("provider", "model", "hardware", "cost_currency")


class CostQuestionInvalid(InvalidError):
    code = "cost_question_invalid"


@dataclass(frozen=True, slots=True)
class CostQuestion:
    """Calls in `start` <= t < `end`, both full hours of UTC, by `group_by` (of `GROUPS`) and, where asked, by day."""

    organization_id: int
    start: datetime
    end: datetime
    group_by: tuple[str, ...] = ()
    by_day: bool = False
    customer: str | None = None
    agent: str | None = None


@dataclass(slots=True)
class CostRow:
    """What the calls of one group used and cost; `day` is the midnight (UTC) it begins with, None for the period."""

    day: datetime | None
    group: dict[str, str | None]
    calls: int = 0
    quantities: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(QUANTITIES, Decimal(0)))
    costs: Costs = field(default_factory=Costs)


def costs(question: CostQuestion) -> list[CostRow]:
    """The rows that answer a question, by day and group. Two queries. Raises `CostQuestionInvalid`."""
    _check(question)
    found = CallUsage.objects.filter(
        organization_id=question.organization_id, hour__gte=question.start, hour__lt=question.end
    )
    if question.customer is not None:
        found = found.filter(customer=question.customer)
    if question.agent is not None:
        found = found.filter(agent=question.agent)
    names = tuple(dict.fromkeys((*question.group_by, *_PRICED_BY, "hour")))
    sums = {f"sum_{name}": Sum(name) for name in (*QUANTITIES, "calls", "cost")}
    parts = list(found.values(*names).annotate(**sums).order_by())
    table = rate_table(organization_id=question.organization_id, models={part["model"] for part in parts})
    rows: dict[Any, CostRow] = {}
    for part in parts:
        day = part["hour"].astimezone(UTC).replace(hour=0) if question.by_day else None
        group = {name: part[name] for name in question.group_by}
        row = rows.setdefault((day, *group.values()), CostRow(day, group))
        used = _totals(part)
        row.calls += used.calls
        row.costs.add(cost_of_calls(used, table))
        for name in QUANTITIES:
            row.quantities[name] = EXACT.add(row.quantities[name], getattr(used, name))
    return sorted((row for row in rows.values() if row.calls), key=_order)


def _check(question: CostQuestion) -> None:
    for instant in (question.start, question.end):
        if instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0) != instant:
            raise CostQuestionInvalid("from and to are full hours of UTC: costs are kept by the hour")
    if question.end <= question.start:
        raise CostQuestionInvalid("to lies after from")
    unknown = [name for name in question.group_by if name not in GROUPS]
    if unknown:
        raise CostQuestionInvalid(f"Costs are told apart by {', '.join(GROUPS)}, not by {unknown[0]!r}")


def _totals(part: dict[str, Any]) -> CallTotals:
    totals = CallTotals(
        group_key=None,
        hour=part["hour"],
        task_key=None,
        customer=None,
        agent=None,
        **{name: part[name] for name in _PRICED_BY},
    )
    for name in (*QUANTITIES, "calls", "cost"):
        setattr(totals, name, part[f"sum_{name}"])
    return totals


def _order(row: CostRow) -> tuple[Any, ...]:
    return row.day or datetime.min.replace(tzinfo=UTC), *(value or "" for value in row.group.values())
