from __future__ import annotations

from celery import shared_task

from metering.services import projections


@shared_task(name="metering.advance_projections")
def advance_projections() -> int:
    """Bring the projections up to date. What is due is found in the log, so a missed run loses nothing."""
    return projections.advance_projections()
