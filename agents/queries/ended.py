"""How many tasks ended, by agent and outcome: read from one index, without looking at the tasks themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count

from agents.models import TaskSummary
from kernel.period import Period


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

    `customers` are those with these keys, None for all. As of the projection, which is seconds behind the log.
    """
    rows = TaskSummary.objects.filter(
        organization_id=organization_id, ended_at__gte=period.start, ended_at__lt=period.end, is_test=False
    )
    if customers is not None:
        rows = rows.filter(customer__in=list(customers))
    if agent is not None:
        rows = rows.filter(agent=agent)
    counts = rows.order_by().values_list("agent", "outcome").annotate(count=Count("*"))
    return [EndedTasks(agent or "", outcome or "", count) for agent, outcome, count in counts]
