from __future__ import annotations

import logging

from celery import shared_task

from accounts.facade import Organization
from billing.invariants import check_all
from billing.models import BillingRun
from billing.services.credit_expiry import expire_credits
from billing.services.recognition import recognize_revenue
from billing.services.runs import runs_to_resume, work_billing_run
from kernel.clock import system_clock

logger = logging.getLogger("billing")


@shared_task(name="billing.work_billing_run")
def work_run(*, run_id: str) -> None:
    """Work a billing run to its end; does nothing where another process is at it, or it is finished."""
    run = BillingRun.objects.get(pk=run_id)
    work_billing_run(run=run, now=system_clock())


@shared_task(name="billing.resume_billing_runs")
def resume_billing_runs() -> int:
    """Find runs that are not finished (new ones, and those whose worker was killed) and work them."""
    found = runs_to_resume()
    for run_id in found:
        work_run.delay(run_id=run_id)
    return len(found)


@shared_task(name="billing.expire_credits")
def expire_due_credits() -> int:
    """Expire, or roll over, what is left of grants whose time is over."""
    return expire_credits(now=system_clock())


@shared_task(name="billing.recognize_revenue")
def recognize_earned_revenue() -> int:
    """Post what months that are over have earned, of every organization; the months of a day missed come with it."""
    now = system_clock()
    return sum(recognize_revenue(organization=one, now=now) for one in Organization.objects.order_by("id"))


@shared_task(name="billing.check_invariants")
def check_invariants() -> int:
    """Check every law on every organization; what is broken is logged as an error. Returns how much is."""
    broken = 0
    for organization in Organization.objects.order_by("id"):
        for law, violations in check_all(organization.pk):
            broken += len(violations)
            for violation in violations:
                logger.error("%s: %s is broken: %s: %s", organization.key, law, violation.subject, violation.detail)
    return broken
