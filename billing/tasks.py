from __future__ import annotations

import logging

from celery import shared_task

from accounts.facade import Organization
from billing.catalog.migrating import migrations_to_resume, work_plan_migration
from billing.credits.expiry import expire_credits
from billing.invariants import check_all
from billing.invoicing.drafts import finalize_due_drafts
from billing.invoicing.due import issue_due, organizations_to_invoice
from billing.invoicing.late_usage import find_late_usage, invoice_left_late_usage
from billing.invoicing.models import InvoiceStatus
from billing.invoicing.open_revenue import refresh_open_revenue
from billing.invoicing.runs import batches_waiting, plan_billing_run, runs_to_resume, work_billing_run
from billing.invoicing.thresholds import invoice_thresholds
from billing.ledger.recognition import recognize_revenue
from billing.models import BillingRun, Invoice, PlanMigration, PlanVersion
from kernel.clock import system_clock

logger = logging.getLogger("billing")


#: Tasks that work on one run beside the one that began it.
_HELPERS = 3


@shared_task(name="billing.work_billing_run")
def work_run(*, run_id: str, helps: bool = False) -> None:
    """Work a billing run as far as no other process is at it, and call others to help where it is long."""
    run, now = BillingRun.objects.get(pk=run_id), system_clock()
    plan_billing_run(run=run, now=now)
    if not helps:
        for _ in range(min(_HELPERS, batches_waiting(run) - 1)):
            work_run.delay(run_id=run_id, helps=True)
    work_billing_run(run=run, now=now)


@shared_task(name="billing.resume_billing_runs")
def resume_billing_runs() -> int:
    """Find runs and migrations that are not finished (new ones, and those whose worker was killed) and work them."""
    found, migrations = runs_to_resume(), migrations_to_resume()
    for run_id in found:
        work_run.delay(run_id=run_id)
    for migration_id in migrations:
        work_migration.delay(migration_id=migration_id)
    return len(found) + len(migrations)


@shared_task(name="billing.work_plan_migration")
def work_migration(*, migration_id: str) -> None:
    """Move whoever a migration has left to move."""
    found = PlanMigration.objects.select_related("plan", "to_version__plan").get(pk=migration_id)
    work_plan_migration(migration=found, now=system_clock())


@shared_task(name="billing.find_late_usage")
def find_late_usage_everywhere() -> int:
    """Look for usage that came after its period was invoiced. Returns how many lines have a new difference."""
    found = 0
    for organization in Organization.objects.order_by("id"):
        found += find_late_usage(organization_id=organization.pk, now=system_clock())
        invoice_left_late_usage(organization_id=organization.pk, now=system_clock())
    return found


@shared_task(name="billing.finalize_drafts")
def finalize_drafts() -> int:
    """Finalize drafts whose grace period is over."""
    now, waiting = system_clock(), Invoice.objects.filter(status=InvoiceStatus.DRAFT)
    organizations = waiting.filter(finalize_at__lte=now).values_list("organization_id", flat=True).distinct()
    return sum(finalize_due_drafts(organization_id=organization, now=now) for organization in organizations)


@shared_task(name="billing.issue_due")
def issue_due_invoices() -> int:
    """Issue what has fallen due, for organizations that do not wait for the month to be closed."""
    return sum(issue_due(organization_id=one, now=system_clock()) for one in organizations_to_invoice())


@shared_task(name="billing.invoice_thresholds")
def invoice_passed_thresholds() -> int:
    """Invoice open usage that has passed its plan's threshold."""
    watched = PlanVersion.objects.filter(invoice_threshold__isnull=False)
    organizations = watched.values_list("plan__organization_id", flat=True).distinct()
    return sum(len(invoice_thresholds(organization_id=one, now=system_clock())) for one in organizations)


@shared_task(name="billing.expire_credits")
def expire_due_credits() -> int:
    """Expire, or roll over, what is left of grants whose time is over."""
    return expire_credits(now=system_clock())


@shared_task(name="billing.refresh_open_revenue")
def refresh_kept_open_revenue() -> int:
    """Price again what has changed of open months, where there are too many to price while somebody waits."""
    return refresh_open_revenue(now=system_clock())


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
