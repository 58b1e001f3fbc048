"""Closing a month: safe to run twice, at once, by many, and to kill at any point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from accounts.facade import Organization, record_audit
from billing.announcing import tell
from billing.customers.models import Customer
from billing.customers.queries import seller_profile_of
from billing.documents.unprintable import unprintable_detail, unprintable_of_customer, unprintable_of_seller
from billing.fields import RunStatus
from billing.invoicing.bills import bills_in_month, without_invoice
from billing.invoicing.issuing import finalize_drafts, store_drafts
from billing.invoicing.late_records import unpriceable_late_usage
from billing.invoicing.late_usage import find_late_usage
from billing.invoicing.models import NUMBERING_ORDER, InvoiceStatus
from billing.invoicing.priced import PricedInvoice, Unpriceable
from billing.invoicing.pricing import price_bills
from billing.models import BillingRun, BillingRunBatch, Invoice, Subscription, TestClock
from billing.subscriptions.queries import subscriptions_of
from kernel.errors import InvalidError
from kernel.period import Month
from metering.facade import refresh_statistics
from rest.isolation import read_one_snapshot, retried
from rest.renderers import plain_decimal

#: Code of a problem that keeps no invoice back: its documents show □ for some characters.
UNPRINTABLE = "unprintable"

#: Lines with late usage without a price that are named; `late_usage` lists them all.
_MOST_NAMED = 100


def problem_of(subscription: Subscription, code: str, detail: str) -> dict[str, str]:
    """Return why a subscription's bill is not issued."""
    return _problem(subscription, subscription.customer, code, detail)


def _problem(subscription: Subscription | None, customer: Customer, code: str, detail: str) -> dict[str, str]:
    pk = subscription.pk if subscription else ""
    return {"subscription": pk, "customer": customer.key, "code": code, "detail": detail}


def late_usage_problems(organization_id: int, *, test_clock: TestClock | None = None) -> list[dict[str, str]]:
    """Return the late usage without a price of customers on `test_clock`, or on none, each with line and invoice."""
    found = unpriceable_late_usage(organization_id).filter(line__invoice__customer__test_clock=test_clock)
    return [
        {
            "subscription": one.line.invoice.subscription_id or "",
            "customer": one.line.invoice.customer.key,
            "code": "late_usage_unpriceable",
            "detail": f"{plain_decimal(one.quantity)} of {one.line.description} on {one.line.invoice}: {one.problem}",
        }
        for one in found[:_MOST_NAMED]
    ]


def unprintable_seller(organization_id: int) -> list[dict[str, str]]:
    """Return the problem of a seller profile that documents cannot show in full; it is of no customer."""
    found = unprintable_of_seller(seller_profile_of(organization_id))
    detail = f"Business details: {unprintable_detail(found)}"
    return [{"subscription": "", "customer": "", "code": UNPRINTABLE, "detail": detail}] if found else []


def unprintable_bills(priced: Iterable[PricedInvoice]) -> list[dict[str, str]]:
    """Return the bills with lines whose documents cannot show all of the customer's details and the lines."""
    found = []
    for one in priced:
        characters = unprintable_of_customer(one.customer, *(line.description for line in one.lines))
        if one.lines and characters:
            found.append(_problem(one.subscription, one.customer, UNPRINTABLE, unprintable_detail(characters)))
    return found


#: Subscriptions invoiced in one transaction, and drafts finalized in one.
BATCH = 200

#: Subscriptions looked at, at once, to see what they owe.
_PLANNED_AT_ONCE = 1000

#: The zone in which a month ends first.
_FIRST_ZONE = timedelta(hours=14)

#: Seconds to wait for batches that other processes are working on.
_PATIENCE = 0.1

_PROGRESS = """
UPDATE billing_billingrun SET done = batches.done, invoices = batches.invoices
FROM (
    SELECT coalesce(sum(jsonb_array_length(subscriptions)), 0) AS done, coalesce(sum(invoices), 0) AS invoices
    FROM billing_billingrunbatch WHERE run_id = %s AND done
) AS batches
WHERE id = %s
"""

OnProgress = Callable[[BillingRun], None]


class MonthNotOver(InvalidError):
    code = "month_not_over"


def start_billing_run(*, organization: Organization, month: Month, now: datetime) -> BillingRun:
    """A run that is to close `month`: the one under way if there is one, else a new one, queued.

    Raises `MonthNotOver` for a month that has ended in no time zone yet.
    """
    if now < month.period(ZoneInfo("UTC")).end - _FIRST_ZONE:
        raise MonthNotOver(f"{month} is not over yet")
    active = {"organization": organization, "month": str(month), "status__in": [RunStatus.QUEUED, RunStatus.RUNNING]}
    found = BillingRun.objects.filter(**active).first()
    if found is None:
        made = BillingRun(organization=organization, month=str(month), created_at=now)
        with transaction.atomic():
            BillingRun.objects.bulk_create([made], ignore_conflicts=True)
            found = BillingRun.objects.filter(**active).first() or _latest(organization, month)
            if found.pk == made.pk:
                record_audit(
                    organization_id=organization.pk, action="billing_run.start", target=made.pk, month=str(month)
                )
    return found


def _latest(organization: Organization, month: Month) -> BillingRun:
    return BillingRun.objects.filter(organization=organization, month=str(month)).latest("created_at")


def close_month(
    *, organization: Organization, month: Month, now: datetime, on_progress: OnProgress | None = None
) -> BillingRun:
    """Start (or go on with) the run for `month` and work it to its end, beside whoever else works on it; returns the
    finished run. Raises `MonthNotOver`."""
    run = start_billing_run(organization=organization, month=month, now=now)
    while not work_billing_run(run=run, now=now, on_progress=on_progress):
        time.sleep(_PATIENCE)
    return run


def work_billing_run(*, run: BillingRun, now: datetime, on_progress: OnProgress | None = None) -> bool:
    """Issue every invoice of the run's month that is due and does not exist, as far as no other process is at it.

    Returns whether the run is finished. Where it is not, what is left is in other processes' hands: if one of them
    is killed, the database gives its batch free, and whoever works the run next takes it.
    """
    plan_billing_run(run=run, now=now)
    while _work_batch(run, now):
        _note_progress(run)
        if on_progress:
            on_progress(run)
    finished = _finish(run, now)
    run.refresh_from_db()
    return finished


def runs_to_resume() -> list[str]:
    """Ids of runs that are not finished. Each is safe to hand out as often as one likes."""
    unfinished = BillingRun.objects.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING])
    return list(unfinished.order_by("id").values_list("id", flat=True))


def batches_waiting(run: BillingRun) -> int:
    """How many batches are not done; 0 before the run is planned."""
    return run.batches.filter(done=False).count()


def plan_billing_run(*, run: BillingRun, now: datetime) -> None:
    """Find what there is to do, once; whoever comes meanwhile waits for it."""
    if run.planned_at is None:
        refresh_statistics()
    with transaction.atomic():
        locked = BillingRun.objects.select_for_update().get(pk=run.pk)
        if locked.planned_at is not None:
            return
        find_late_usage(organization_id=locked.organization_id, now=now)
        due, waiting = _due(locked.organization_id, Month.parse(locked.month), now)
        BillingRunBatch.objects.bulk_create(
            [
                BillingRunBatch(run=locked, position=start // BATCH, subscriptions=due[start : start + BATCH])
                for start in range(0, len(due), BATCH)
            ]
        )
        locked.status, locked.planned_at, locked.total = RunStatus.RUNNING, now, len(due)
        locked.problems = [*waiting, *late_usage_problems(locked.organization_id)]
        if due:
            locked.problems += unprintable_seller(locked.organization_id)
        locked.save()


def _due(organization_id: int, month: Month, now: datetime) -> tuple[list[str], list[dict[str, str]]]:
    """Subscriptions with bills in `month` that have no invoice: ids of those with one that is due, and what is to be
    said of those that still wait for one."""
    span, day = month.period(ZoneInfo("UTC")), timedelta(days=1)
    candidates = (
        subscriptions_of(organization_id)
        .filter(customer__test_clock=None, starts_at__lt=span.end + day)
        .exclude(ends_at__lt=span.start - day)
    )
    due: dict[str, None] = {}
    waiting: list[dict[str, str]] = []
    for some in _in_chunks(candidates.iterator(chunk_size=_PLANNED_AT_ONCE)):
        for bill in without_invoice(bill for one in some for bill in bills_in_month(one, month)):
            if bill.due_at <= now:
                due[bill.subscription.pk] = None
            else:
                detail = "The billing period is not over in the customer's time zone"
                waiting.append(problem_of(bill.subscription, "period_not_over", detail))
    return list(due), waiting


def _in_chunks(found: Iterator[Subscription]) -> Iterator[list[Subscription]]:
    while some := list(islice(found, _PLANNED_AT_ONCE)):
        yield some


def _work_batch(run: BillingRun, now: datetime) -> bool:
    """Take a batch that nobody holds, price it on one snapshot and store its drafts, all in one transaction; False
    where there is none."""

    def work() -> bool:
        with transaction.atomic():
            read_one_snapshot()
            free = BillingRunBatch.objects.select_for_update(skip_locked=True).filter(run=run, done=False)
            batch = free.order_by("position").first()
            if batch is None:
                return False
            batch.invoices, batch.problems = _draft(run, batch.subscriptions, now)
            batch.done = True
            batch.save(update_fields=["invoices", "problems", "done"])
            return True

    return retried(work)


def _draft(run: BillingRun, ids: list[str], now: datetime) -> tuple[int, list[dict[str, str]]]:
    month = Month.parse(run.month)
    subscriptions = subscriptions_of(run.organization_id).filter(pk__in=ids)
    bills = [bill for one in subscriptions for bill in bills_in_month(one, month) if bill.due_at <= now]
    answers = price_bills(without_invoice(bills))
    priced = [answer for answer in answers if isinstance(answer, PricedInvoice)]
    drafts = store_drafts(organization_id=run.organization_id, priced=priced, run=run, now=now)
    problems = [problem_of(a.subscription, a.error.code, a.error.detail) for a in answers if isinstance(a, Unpriceable)]
    return len(drafts), [*problems, *unprintable_bills(priced)]


def _note_progress(run: BillingRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, [run.pk, run.pk])
    run.refresh_from_db(fields=["done", "invoices", "total", "status", "problems"])


def _finish(run: BillingRun, now: datetime) -> bool:
    """Finalize the run's drafts whose grace period is over, once every batch is done. False while one is not."""
    if batches_waiting(run):
        return False
    while _finalize_some(run, now):
        pass
    with transaction.atomic():
        locked = BillingRun.objects.select_for_update().get(pk=run.pk)
        if locked.status not in {RunStatus.SUCCEEDED, RunStatus.FAILED}:
            batches = list(locked.batches.all())
            found = [problem for batch in batches for problem in batch.problems]
            locked.done, locked.invoices = locked.total, sum(batch.invoices for batch in batches)
            locked.problems = [*locked.problems, *found]
            unpriced = any(problem["code"] != UNPRINTABLE for problem in found)
            locked.status = RunStatus.FAILED if unpriced else RunStatus.SUCCEEDED
            locked.finished_at = now
            locked.save()
            tell("billing_run.completed", [locked], at=now)
    return True


def _finalize_some(run: BillingRun, now: datetime) -> bool:
    """Finalize the next drafts in order; one process at a time, so that numbers follow that order."""
    with transaction.atomic():
        BillingRun.objects.select_for_update().get(pk=run.pk)
        drafts = (
            Invoice.objects.select_for_update(of=("self",))
            .filter(billing_run=run, status=InvoiceStatus.DRAFT, finalize_at__lte=now)
            .select_related("customer")
            .order_by(*NUMBERING_ORDER)[:BATCH]
        )
        found = list(drafts)
        if found:
            finalize_drafts(organization_id=run.organization_id, invoices=found, now=now)
        return bool(found)
