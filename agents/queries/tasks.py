"""Tasks with what they used and cost: lists from the projection, one task from the log itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.domain.costs import Costs, RateTable, cost_of_calls
from agents.domain.readings import key_of
from agents.domain.summaries import TaskTotals
from agents.models import CallUsage, TaskProjection, TaskSummary
from agents.queries.rates import rate_table
from kernel.clock import parse_rfc3339
from kernel.errors import InvalidError
from kernel.money import EXACT
from rest.pagination import decode_cursor, encode_cursor

_SUMMED = ("input_tokens", "cached_input_tokens", "output_tokens", "compute_seconds")


@dataclass(frozen=True, slots=True)
class TaskQuestion:
    """Which tasks to list: all the conditions given must hold; they began in `start` <= t < `end`.

    `outcome` "open" is the tasks that have not ended.
    """

    organization_id: int
    customer: str | None = None
    agent: str | None = None
    outcome: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with the sums over its calls of models. `totals` has what was counted, and whose it is."""

    totals: TaskSummary | TaskTotals
    input_tokens: Decimal = Decimal(0)
    cached_input_tokens: Decimal = Decimal(0)
    output_tokens: Decimal = Decimal(0)
    compute_seconds: Decimal = Decimal(0)
    costs: Costs = field(default_factory=Costs)

    @property
    def task_id(self) -> str:
        return self.totals.task_id


def list_tasks(question: TaskQuestion, *, limit: int, cursor: str | None = None) -> tuple[list[TaskView], str | None]:
    """Tasks, those that began last first, and a cursor to those that follow. Three queries, however many tasks.

    As of the projection, which is at most seconds behind the log.
    """
    rows = matching_tasks(question)
    if cursor:
        started_at, key = _position(cursor)
        rows = rows.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, task_key__lt=key))
    found = list(rows.order_by("-started_at", "-task_key")[: limit + 1])
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = encode_cursor([last.started_at.isoformat(), str(last.task_key)])
    return with_calls(question.organization_id, found[:limit]), following


def task_summary(*, organization_id: int, task_id: str) -> TaskSummary | None:
    """What is known of a task up to where the projection is; None for one that nothing named so far."""
    return TaskSummary.objects.filter(organization_id=organization_id, task_key=key_of(task_id)).first()


def projected_to(organization_id: int) -> int:
    """The transaction up to which an organization's tasks are summed up; the log knows all from it on."""
    found = TaskProjection.objects.filter(organization_id=organization_id).values_list("xid", flat=True).first()
    return found or 0


def view_of(totals: TaskSummary | TaskTotals, calls: Iterable[Any], *, table: RateTable) -> TaskView:
    """A task with its calls priced by `table`."""
    costs, sums = Costs(), dict.fromkeys(_SUMMED, Decimal(0))
    for call in calls:
        costs.add(cost_of_calls(call, table))
        for name in _SUMMED:
            sums[name] = EXACT.add(sums[name], getattr(call, name))
    return TaskView(totals, costs=costs, **sums)


def matching_tasks(question: TaskQuestion) -> QuerySet[TaskSummary]:
    """The tasks that a question is about, in no order."""
    rows = TaskSummary.objects.filter(organization_id=question.organization_id)
    if question.customer is not None:
        rows = rows.filter(customer=question.customer)
    if question.agent is not None:
        rows = rows.filter(agent=question.agent)
    if question.outcome is not None:
        rows = rows.filter(ended_at=None) if question.outcome == "open" else rows.filter(outcome=question.outcome)
    if question.start is not None:
        rows = rows.filter(started_at__gte=question.start)
    if question.end is not None:
        rows = rows.filter(started_at__lt=question.end)
    return rows


def with_calls(organization_id: int, rows: Sequence[TaskSummary]) -> list[TaskView]:
    """Tasks with the sums over their calls, in their order. Two queries."""
    calls: dict[UUID | None, list[CallUsage]] = defaultdict(list)
    for call in CallUsage.objects.filter(organization_id=organization_id, task_key__in=[row.task_key for row in rows]):
        calls[call.task_key].append(call)
    models = {call.model for ones in calls.values() for call in ones}
    table = rate_table(organization_id=organization_id, models=models)
    return [view_of(row, calls[row.task_key], table=table) for row in rows]


def _position(cursor: str) -> tuple[datetime, UUID]:
    try:
        started_at, key = decode_cursor(cursor)
        return parse_rfc3339(started_at), UUID(key)
    except (ValueError, TypeError, AttributeError):
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid") from None
