from __future__ import annotations

from celery import shared_task

from budgets.services import evaluation, reservations
from kernel.clock import system_clock


@shared_task(name="budgets.evaluate")
def evaluate_budgets() -> int:
    """Bring budgets and limits up to what the log says, and tell of thresholds that were reached. What is due is found
    in the database, so a missed run only delays."""
    reservations.expire_reservations(now=system_clock())
    return evaluation.evaluate_budgets(now=system_clock())


@shared_task(name="budgets.forget_reservations")
def forget_reservations() -> int:
    """Delete reservations that ended long ago."""
    return reservations.forget_reservations(now=system_clock())
