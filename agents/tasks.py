from __future__ import annotations

from celery import shared_task

from agents.services import projection


@shared_task(name="agents.advance_task_summaries")
def advance_task_summaries() -> int:
    """Bring the task summaries up to date. What is due is found in the log, so a missed run loses nothing."""
    return projection.advance_task_summaries()
