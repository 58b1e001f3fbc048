"""The slowest and the dearest of an agent's tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
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


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Tasks that took longest from their begin to their end, and that cost most in US dollars (or what there is)."""

    slowest: list[TaskView]
    dearest: list[TaskView]
    compared: int


def outstanding_tasks(question: TaskQuestion, *, limit: int) -> Outstanding:
    """Of the `COMPARED` tasks that began last. Five queries, however many tasks."""
    rows = list(matching_tasks(question).order_by("-started_at", "-task_key")[:COMPARED])
    ended = [row for row in rows if row.ended_at is not None]
    slowest = sorted(ended, key=lambda row: (row.started_at - row.ended_at, row.task_id))[:limit]
    costs = _costs(question.organization_id, [row.task_key for row in rows])
    dearest = sorted(
        (row for row in rows if costs[row.task_key] > 0), key=lambda row: (-costs[row.task_key], row.task_id)
    )
    wanted = {row.task_key: row for row in (*slowest, *dearest[:limit])}
    views = {view.totals.task_id: view for view in with_calls(question.organization_id, list(wanted.values()))}
    return Outstanding(
        [views[row.task_id] for row in slowest], [views[row.task_id] for row in dearest[:limit]], len(rows)
    )


def _costs(organization_id: int, keys: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What the calls of each task cost."""
    sums = {f"sum_{name}": Sum(name) for name in (*QUANTITIES, "calls", "cost")}
    found = CallUsage.objects.filter(organization_id=organization_id, task_key__in=keys)
    parts: list[dict[str, Any]] = list(found.order_by().values("task_key", *_PRICED_BY).annotate(**sums))
    table = rate_table(organization_id=organization_id, models={part["model"] for part in parts})
    costs: dict[UUID, Costs] = defaultdict(Costs)
    for part in parts:
        used = CallTotals(None, task_key=None, customer=None, agent=None, **{name: part[name] for name in _PRICED_BY})
        for name in (*QUANTITIES, "calls", "cost"):
            setattr(used, name, part[f"sum_{name}"])
        costs[part["task_key"]].add(cost_of_calls(used, table))
    return {key: costs[key].amount for key in keys}
