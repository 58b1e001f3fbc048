from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task
from django.conf import settings
from django.db import connection

from agents.runtime.providers import model_of
from agents.services import projection
from agents.services.working import due_tasks, work_queued_task
from kernel.clock import system_clock

#: The first of the locks that stand for as many tasks worked at once.
_FIRST_SLOT = 7_106_480_000


@shared_task(name="agents.advance_task_summaries")
def advance_task_summaries() -> int:
    """Bring the task summaries up to date. What is due is found in the log, so a missed run loses nothing."""
    return projection.advance_task_summaries()


@shared_task(name="agents.work_tasks")
def work_tasks() -> int:
    """Work what is due, one after the other; nothing where as many as may be are at it already.

    An agent's task may take minutes: the rest of the workers' processes stay free for the books.
    """
    worked = 0
    with _slot() as is_free:
        if is_free:
            for task_pk in due_tasks(now=system_clock()):
                worked += work_queued_task(task_pk=task_pk, models=model_of, clock=system_clock)
    return worked


@contextmanager
def _slot() -> Iterator[bool]:
    taken = None
    with connection.cursor() as cursor:
        for slot in range(_FIRST_SLOT, _FIRST_SLOT + settings.AGENT_TASKS_AT_ONCE):
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [slot])
            if cursor.fetchone()[0]:
                taken = slot
                break
    try:
        yield taken is not None
    finally:
        if taken is not None and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [taken])
