"""Tasks of a customer whose personal details are removed."""

from __future__ import annotations

from django.db import connection

from accounts.facade import Person
from agents.models import Task, TaskAttempt

_SUMMARIES = """
UPDATE agents_tasksummary SET goal = NULL, said = said - 'goal',
    ends = (SELECT coalesce(jsonb_object_agg(key, value - 'goal'), '{}') FROM jsonb_each(ends))
WHERE organization_id = %s AND customer = ANY (%s)
"""


def forget_tasks(person: Person) -> int:
    """Remove the goals of the customer's tasks, and what ended ones were given and recorded; how many there were.

    What they did stays in the event log, where free text is made unreadable, and counts as before.
    """
    tasks = Task.objects.filter(organization_id=person.organization_id, customer__in=person.subjects)
    TaskAttempt.objects.filter(task__in=tasks.filter(state="ended")).update(events=[], problem="")
    tasks.filter(state="ended").update(input={}, problem="")
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARIES, [person.organization_id, list(person.subjects)])
        return int(cursor.rowcount)


def has_open_tasks(*, organization_id: int, customer: str) -> bool:
    """Report if a task for the customer (its key) waits or is at work."""
    return Task.objects.filter(organization_id=organization_id, customer=customer).exclude(state="ended").exists()
