"""Closing a month: found by what is due, safe to run twice, at once, and to kill at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection, transaction
from psycopg.errors import SerializationFailure

from accounts.facade import Organization
from billing.models import BillingRun, Subscription
from billing.models.invoices import RunStatus
from billing.queries.bills import bills_in_month, without_invoice
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_bills
from billing.services.invoices import issue_invoices
from billing.services.isolation import read_one_snapshot
from kernel.errors import InvalidError
from kernel.period import Month

#: Subscriptions invoiced in one transaction.
BATCH = 200

#: The zone in which a month ends first.
_FIRST_ZONE = timedelta(hours=14)

OnProgress = Callable[[BillingRun], None]


class MonthNotOver(InvalidError):
    code = "month_not_over"


class RunBusy(InvalidError):
    """Another process is working on this run."""

    code = "run_busy"


def start_billing_run(*, organization: Organization, month: Month, now: datetime) -> BillingRun:
    """A run that is to close `month`: the one under way if there is one, else a new one, queued.

    Raises `MonthNotOver` for a month that has ended in no time zone yet.
    """
    if now < month.period(ZoneInfo("UTC")).end - _FIRST_ZONE:
        raise MonthNotOver(f"{month} is not over yet")
    active = {"organization": organization, "month": str(month), "status__in": [RunStatus.QUEUED, RunStatus.RUNNING]}
    found = BillingRun.objects.filter(**active).first()
    if found is None:
        BillingRun.objects.bulk_create(
            [BillingRun(organization=organization, month=str(month), created_at=now)], ignore_conflicts=True
        )
        found = BillingRun.objects.filter(**active).first() or _latest(organization, month)
    return found


def _latest(organization: Organization, month: Month) -> BillingRun:
    return BillingRun.objects.filter(organization=organization, month=str(month)).latest("created_at")


def close_month(
    *, organization: Organization, month: Month, now: datetime, on_progress: OnProgress | None = None
) -> BillingRun:
    """Start (or go on with) the run for `month` and work it to its end here; returns the finished run.

    Raises `MonthNotOver`, or `RunBusy` while another process works on it.
    """
    run = start_billing_run(organization=organization, month=month, now=now)
    if not work_billing_run(run=run, now=now, on_progress=on_progress):
        raise RunBusy(f"Another process is closing {month} right now; its progress is that of run {run.pk}")
    return run


def work_billing_run(*, run: BillingRun, now: datetime, on_progress: OnProgress | None = None) -> bool:
    """Issue every invoice of the run's month that is due and does not exist.

    Returns False, having done nothing, where another process holds the run. If this one is killed the
    database gives the run free, and whoever works it next finds what is still due.
    """
    with _only_worker(run) as alone:
        if not alone:
            return False
        run.refresh_from_db()
        if run.status in {RunStatus.SUCCEEDED, RunStatus.FAILED}:
            return True
        month = Month.parse(run.month)
        due, waiting = _due(run.organization_id, month, now)
        run.status, run.total, run.done, run.invoices = RunStatus.RUNNING, len(due), 0, 0
        run.problems = [
            _problem(s, "period_not_over", "The billing period is not over in the customer's time zone")
            for s in waiting
        ]
        run.save()
        for start in range(0, len(due), BATCH):
            _issue_batch(run, month, due[start : start + BATCH], now)
            if on_progress:
                on_progress(run)
        unpriced = [problem for problem in run.problems if problem["code"] != "period_not_over"]
        run.status = RunStatus.FAILED if unpriced else RunStatus.SUCCEEDED
        run.finished_at = now
        run.save()
        return True


def runs_to_resume() -> list[str]:
    """Ids of runs that are not finished. Each is safe to hand out twice: only one process can hold it."""
    unfinished = BillingRun.objects.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING])
    return list(unfinished.order_by("id").values_list("id", flat=True))


def _due(organization_id: int, month: Month, now: datetime) -> tuple[list[str], list[Subscription]]:
    """Subscriptions with bills in `month` that have no invoice: ids of those with one that is due, and the
    subscriptions that still wait for one."""
    span = month.period(ZoneInfo("UTC"))
    day = timedelta(days=1)
    candidates = (
        subscriptions_of(organization_id)
        .filter(customer__test_clock=None, starts_at__lt=span.end + day)
        .exclude(ends_at__lt=span.start - day)
    )
    open_bills = without_invoice(bill for one in candidates for bill in bills_in_month(one, month))
    due = {bill.subscription.pk: None for bill in open_bills if bill.due_at <= now}
    waiting = {bill.subscription.pk: bill.subscription for bill in open_bills if bill.due_at > now}
    return list(due), list(waiting.values())


def _issue_batch(run: BillingRun, month: Month, ids: list[str], now: datetime) -> None:
    """One batch, priced on one snapshot and issued in the same transaction; tried again when another
    transaction took invoice numbers meanwhile."""
    while True:
        try:
            with transaction.atomic():
                issued, problems = _issue(run, month, ids, now)
            break
        except OperationalError as error:
            if not isinstance(error.__cause__, SerializationFailure):
                raise
    run.done += len(ids)
    run.invoices += issued
    run.problems += problems
    run.save(update_fields=["done", "invoices", "problems"])


def _issue(run: BillingRun, month: Month, ids: list[str], now: datetime) -> tuple[int, list[dict[str, str]]]:
    read_one_snapshot()
    subscriptions = subscriptions_of(run.organization_id).filter(pk__in=ids)
    bills = [bill for one in subscriptions for bill in bills_in_month(one, month) if bill.due_at <= now]
    answers = price_bills(without_invoice(bills))
    priced = [answer for answer in answers if isinstance(answer, PricedInvoice)]
    issue_invoices(organization_id=run.organization_id, priced=priced, run=run, now=now)
    problems = [_problem(a.subscription, a.error.code, a.error.detail) for a in answers if isinstance(a, Unpriceable)]
    return len(priced), problems


def _problem(subscription: Any, code: str, detail: str) -> dict[str, str]:
    return {"subscription": subscription.pk, "customer": subscription.customer.key, "code": code, "detail": detail}


@contextmanager
def _only_worker(run: BillingRun) -> Iterator[bool]:
    """Holds the run for this database session; the server lets go of it when the session ends, however it ends."""
    lock = int.from_bytes(hashlib.sha256(f"billing run {run.pk}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
