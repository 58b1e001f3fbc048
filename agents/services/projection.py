"""Carrying the log forward into task summaries and the usage of calls. Safe to run anywhere, at once and to kill."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.domain.readings import TYPES, key_of
from agents.domain.summaries import Change, TaskTotals, fold_task
from agents.models import CallDay, CallHour, CallMonth, CallUsage, EndedDay, TaskProjection, TaskSummary
from agents.queries.changes import change_of
from agents.services.calls import take_in_calls
from agents.services.ended import EndedTasksCount
from metering.facade import LogPosition, changes_in_log, organizations_behind

#: Changes taken in by one transaction.
STEP = 5_000

_TOTALS = [field.name for field in fields(TaskTotals)]
_SHOWN = ("customer", "agent", "agent_version", "goal", "outcome", "outcome_source", "ended_at")
_TASK_UPDATES = sorted({*_TOTALS, *_SHOWN} - {"task_id"})

# A projection for each organization that has none yet; whoever is second waits for the first and adds nothing.
_ENTER = """
INSERT INTO agents_taskprojection (organization_id, xid, identity, is_correction)
SELECT o.id, 0, '00000000-0000-0000-0000-000000000000', FALSE FROM accounts_organization o
WHERE NOT EXISTS (SELECT FROM agents_taskprojection p WHERE p.organization_id = o.id)
ON CONFLICT DO NOTHING
"""


def advance_task_summaries() -> int:
    """Bring every organization's summaries up to where the log is complete; returns how many steps were made.

    One step of each in turn, so that a long history does not hold up the others.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ENTER)
    positions = {one.organization_id: _position(one) for one in TaskProjection.objects.all()}
    behind = organizations_behind(positions) if positions else []
    steps = 0
    while behind:
        steps += len(behind)
        behind = [organization for organization in behind if advance(organization_id=organization)]
    return steps


def advance(*, organization_id: int, step: int = STEP) -> bool:
    """One step of one organization, in one transaction: summaries and position move together.

    Returns whether there is more to do. An organization that another worker holds is left to it.
    """
    with transaction.atomic():
        projection = (
            TaskProjection.objects.select_for_update(skip_locked=True).filter(organization_id=organization_id).first()
        )
        if projection is None:
            return False
        found, position, has_more = changes_in_log(
            organization_id=organization_id, types=TYPES, after=_position(projection), limit=step
        )
        changes = [change_of(one) for one in found]
        _take_in_tasks(organization_id, [change for change in changes if change.reading.task_id is not None])
        take_in_calls(organization_id, [change for change in changes if change.reading.call is not None])
        projection.xid, projection.identity = position.xid, UUID(position.identity)
        projection.is_correction = position.is_correction
        projection.save()
    return has_more


def rebuild(*, organization_id: int) -> None:
    """Forget all summaries of an organization; the next steps make them anew from the log."""
    with transaction.atomic():
        TaskProjection.objects.select_for_update().filter(organization_id=organization_id).first()
        for table in (TaskSummary, EndedDay, CallUsage, CallHour, CallDay, CallMonth):
            table.objects.filter(organization_id=organization_id).delete()
        TaskProjection.objects.filter(organization_id=organization_id).update(
            xid=0, identity=UUID(int=0), is_correction=False
        )


def _position(projection: TaskProjection) -> LogPosition:
    return LogPosition(projection.xid, str(projection.identity), projection.is_correction)


def _take_in_tasks(organization_id: int, changes: list[Change]) -> None:
    keys = {change.reading.task_id: key_of(change.reading.task_id) for change in changes}
    stored = TaskSummary.objects.filter(organization_id=organization_id, task_key__in=keys.values())
    totals: dict[str, TaskTotals] = {
        row.task_id: TaskTotals(**{name: getattr(row, name) for name in _TOTALS}) for row in stored
    }
    ended = EndedTasksCount(organization_id)
    ended.take_off(totals.values())
    for change in changes:
        task_id = change.reading.task_id or ""
        totals[task_id] = fold_task(totals.get(task_id), change)
    ended.add(totals.values())
    ended.write()
    TaskSummary.objects.bulk_create(
        [_summary(organization_id, one, keys[one.task_id]) for one in totals.values()],
        update_conflicts=True,
        unique_fields=["organization", "task_key"],
        update_fields=_TASK_UPDATES,
        batch_size=1_000,
    )


def _summary(organization_id: int, totals: TaskTotals, key: UUID) -> TaskSummary:
    values: dict[str, Any] = {name: getattr(totals, name) for name in (*_TOTALS, *_SHOWN)}
    return TaskSummary(organization_id=organization_id, task_key=key, **values)
