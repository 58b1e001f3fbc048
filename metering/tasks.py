from __future__ import annotations

from celery import shared_task
from django.conf import settings

from kernel.clock import system_clock
from kernel.period import Month
from metering.services import projections, retention, void_runs


@shared_task(name="metering.advance_projections")
def advance_projections() -> int:
    """Bring the projections up to date. What is due is found in the log, so a missed run loses nothing."""
    return projections.advance_projections()


@shared_task(name="metering.work_void_run")
def work_void_run(*, run_id: str) -> None:
    """Take back what a run has left, as far as no other process is at it."""
    void_runs.work_void_run(run_id=run_id, now=system_clock())


@shared_task(name="metering.resume_void_runs")
def resume_void_runs() -> int:
    """Find runs that are not finished (new ones, and those whose worker was killed) and work them."""
    found = void_runs.void_runs_to_resume()
    for run_id in found:
        work_void_run.delay(run_id=run_id)
    return len(found)


@shared_task(name="metering.keep_log")
def keep_log() -> list[str]:
    """Make the coming months' partitions, and archive the months that are older than TAXIMETER_KEEP_MONTHS."""
    return [str(one) for one in retention.keep_log(now=system_clock(), kept_months=settings.KEEP_MONTHS)]


@shared_task(name="metering.detach_month")
def detach_month(*, month: str) -> str | None:
    """Move a month's events to an archive; run again, it goes on with what came since."""
    archive = retention.detach_month(month=Month.parse(month), now=system_clock())
    return None if archive is None else archive.file
