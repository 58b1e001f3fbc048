"""The slowest and the dearest of an agent's tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Sum

from agents.domain.costs import Costs, cost_of_calls
from agents.domain.summaries import QUANTITIES, CallTotals
from agents.models import CallUsage
from agents.queries.rates import rate_table
from agents.queries.tasks import TaskQuestion, TaskView, matching_tasks, with_calls

#: So many of the tasks that began last are compared, so that it takes no longer the more there were.
COMPARED = 1_000

_PRICED_BY = ("provider", "model", "hardware", "cost_currency", "hour")
_SUMMED = (*QUANTITIES, "calls", "cost")
_PRICED = (*_PRICED_BY, *_SUMMED)


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Tasks that took longest from their begin to their end, and that cost most in US dollars (or what there is)."""

    slowest: list[TaskView]
    dearest: list[TaskView]
    compared: int


def outstanding_tasks(question: TaskQuestion, *, limit: int) -> Outstanding:
    """Of the `COMPARED` tasks that began last. Six queries, however many tasks."""
    latest = matching_tasks(question).order_by("-started_at", "-task_key")
    compared = [_Compared(*row) for row in latest.values_list(*_Compared._fields)[:COMPARED]]
    ended = [one for one in compared if one.ended_at is not None]
    slowest = sorted(ended, key=lambda one: (-_duration(one), one.task_id))[:limit]
    costs = _costs(question.organization_id, [one.task_key for one in compared])
    costly = (one for one in compared if costs.get(one.task_key, 0) > 0)
    dearest = sorted(costly, key=lambda one: (-costs[one.task_key], one.task_id))[:limit]
    wanted = matching_tasks(question).filter(task_key__in={one.task_key for one in (*slowest, *dearest)})
    views = {view.totals.task_id: view for view in with_calls(question.organization_id, list(wanted))}
    # One that was projected anew in between may be gone.
    return Outstanding(
        [views[one.task_id] for one in slowest if one.task_id in views],
        [views[one.task_id] for one in dearest if one.task_id in views],
        len(compared),
    )


class _Compared(NamedTuple):
    task_key: UUID
    task_id: str
    started_at: datetime
    ended_at: datetime | None


def _duration(task: _Compared) -> timedelta:
    return (task.ended_at or task.started_at) - task.started_at


def _costs(organization_id: int, keys: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What the calls of each task cost, of those that made some."""
    sums = {f"sum_{name}": Sum(name) for name in _SUMMED}
    found = CallUsage.objects.filter(organization_id=organization_id, task_key__in=keys)
    parts = list(found.order_by().values_list("task_key", *_PRICED_BY).annotate(**sums))
    used = [
        (key, CallTotals(None, task_key=None, customer=None, agent=None, **dict(zip(_PRICED, part, strict=True))))
        for key, *part in parts
    ]
    table = rate_table(organization_id=organization_id, models={one.model for _, one in used})
    costs: dict[UUID, Costs] = defaultdict(Costs)
    for key, one in used:
        costs[key].add(cost_of_calls(one, table))
    return {key: one.amount for key, one in costs.items()}
