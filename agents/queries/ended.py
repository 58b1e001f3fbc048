"""How many tasks ended, by agent and outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q, Sum

from agents.models import EndedDay, TaskSummary
from kernel.period import Period

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class EndedTasks:
    """`agent` and `outcome` are "" where none is named."""

    agent: str
    outcome: str
    tasks: int


def ended_tasks(
    *, organization_id: int, period: Period, customers: Collection[str] | None = None, agent: str | None = None
) -> list[EndedTasks]:
    """The tasks that ended in `period`, by agent and outcome; those of tests are left out, as meters do. One query.

    `customers` are those with these keys, None for all: then whole days of UTC are read from their sums, so that it
    takes no longer the more tasks there were. As of the projection, which is seconds behind the log.
    """
    tasks = TaskSummary.objects.filter(organization_id=organization_id, is_test=False)
    days = whole_days(period) if customers is None else None
    if customers is not None:
        tasks = tasks.filter(customer__in=list(customers))
    if agent is not None:
        tasks = tasks.filter(agent=agent)
    counts = _by_kind(tasks.filter(_ended_in(period, apart_from=days)), Count("*"))
    if days is not None:
        sums = EndedDay.objects.filter(organization_id=organization_id, day__gte=days.start, day__lt=days.end)
        if agent is not None:
            sums = sums.filter(agent=agent)
        counts = counts.union(_by_kind(sums, Sum("tasks")), all=True)
    found: Counter[tuple[str, str]] = Counter()
    for one, outcome, count in counts:
        found[one or "", outcome or ""] += int(count)
    return [EndedTasks(*kind, count) for kind, count in found.items() if count]


def whole_days(period: Period) -> Period | None:
    """The days of UTC that lie within a period whole; None where there are none."""
    start, end = (datetime.combine(one.astimezone(UTC), time(), UTC) for one in (period.start, period.end))
    if start < period.start:
        start += _DAY
    return Period(start, end) if start < end else None


def _ended_in(period: Period, *, apart_from: Period | None) -> Q:
    within = Q(ended_at__gte=period.start, ended_at__lt=period.end)
    if apart_from is None:
        return within
    before = Q(ended_at__gte=period.start, ended_at__lt=apart_from.start)
    return before | Q(ended_at__gte=apart_from.end, ended_at__lt=period.end)


def _by_kind(rows: Any, counted: Any) -> Any:
    return rows.order_by().values_list("agent", "outcome").annotate(count=counted)
