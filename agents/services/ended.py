"""The part of the projection that counts ended tasks by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agents.domain.readings import key_of
from agents.domain.summaries import TaskEnd, TaskTotals, end_of
from agents.models import EndedDay


class EndedTasksCount:
    """What one step changes: tasks are taken off as they are stored, and added as they became."""

    def __init__(self, organization_id: int) -> None:
        self._organization_id = organization_id
        self._changes: Counter[TaskEnd] = Counter()

    def take_off(self, tasks: Iterable[TaskTotals]) -> None:
        self._changes.subtract(end for one in tasks if (end := end_of(one)))

    def add(self, tasks: Iterable[TaskTotals]) -> None:
        self._changes.update(end for one in tasks if (end := end_of(one)))

    def write(self) -> None:
        """Within the step's transaction, which holds the organization's projection: nobody else counts meanwhile."""
        changes = {end: change for end, change in self._changes.items() if change}
        keys = {end: key_of(end.agent, end.outcome) for end in changes}
        stored = EndedDay.objects.filter(
            organization_id=self._organization_id,
            day__in={end.day for end in changes},
            kind_key__in=set(keys.values()),
        )
        counted = {TaskEnd(row.day, row.agent, row.outcome): row.tasks for row in stored}
        EndedDay.objects.bulk_create(
            [
                EndedDay(
                    organization_id=self._organization_id,
                    kind_key=keys[end],
                    **end._asdict(),
                    tasks=counted.get(end, 0) + change,
                )
                for end, change in changes.items()
            ],
            update_conflicts=True,
            unique_fields=["organization", "day", "kind_key"],
            update_fields=["tasks"],
            batch_size=1_000,
        )
