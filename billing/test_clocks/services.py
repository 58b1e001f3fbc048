"""Test clocks: a year of billing in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.facade import Organization, record_audit
from billing.credits.expiry import expire_on_clock
from billing.invoicing.bills import Bill, bills_in_month, without_invoice
from billing.invoicing.drafts import refresh_draft
from billing.invoicing.issuing import finalize_drafts, store_drafts
from billing.invoicing.late_usage import find_late_usage, invoice_left_late_usage
from billing.invoicing.models import InvoiceStatus
from billing.invoicing.priced import PricedInvoice, Unpriceable
from billing.invoicing.pricing import price_bills
from billing.invoicing.runs import late_usage_problems, problem_of
from billing.invoicing.thresholds import invoice_thresholds
from billing.models import Invoice, TestClock
from billing.subscriptions.queries import subscriptions_of
from billing.watching import watchers
from kernel.errors import InvalidError
from kernel.period import Month
from rest.alone import in_turn
from rest.isolation import read_one_snapshot, retried

#: Zones are up to 14 hours from UTC, so a month of some zone touches at most its neighbours in UTC.
_A_DAY = timedelta(days=1)

#: How far a clock may be moved at once.
_FURTHEST = timedelta(days=366 * 5)


class ClockInvalid(InvalidError):
    code = "test_clock_invalid"


def create_test_clock(*, organization: Organization, now: datetime) -> TestClock:
    """A clock that stands at `now`."""
    with transaction.atomic():
        clock = TestClock.objects.create(organization=organization, now=now)
        record_audit(organization_id=organization.pk, action="test_clock.create", target=clock.pk, now=now.isoformat())
    return clock


def advance_test_clock(*, test_clock: TestClock, to: datetime) -> tuple[TestClock, int]:
    """Move a clock forward and do all the billing that falls due on the way, each invoice at its own instant.

    Return the clock and how many invoices were created, all or none. What has no price stops nothing else: the clock's
    `problems` name it, and the next advance tries again. Raises `ClockInvalid` for a step backwards or of more than
    five years, and `ConflictingChanges` where other work of the organization goes on for too long.
    """
    # Clocks of one organization take numbers of the same series: at once, each would undo the others' work.
    with in_turn(f"test clocks of {test_clock.organization_id}"):
        return retried(partial(_advance, test_clock, to))


def _advance(test_clock: TestClock, to: datetime) -> tuple[TestClock, int]:
    with transaction.atomic():
        read_one_snapshot()
        clock = TestClock.objects.select_for_update().get(pk=test_clock.pk)
        if not clock.now <= to <= clock.now + _FURTHEST:
            raise ClockInvalid("A test clock moves forward, by at most five years at once")
        find_late_usage(organization_id=clock.organization_id, now=to)
        made, problems = 0, []
        for bill in _due(clock, to):
            # Credit that has run out before cannot pay it; what was rolled over can.
            expire_on_clock(test_clock=clock, until=bill.due_at - timedelta(microseconds=1))
            _finalize_drafts(clock, bill.due_at)
            _tell_moved(clock, bill.due_at)
            [priced] = price_bills([bill])
            if isinstance(priced, Unpriceable):
                problems.append(problem_of(priced.subscription, priced.error.code, priced.error.detail))
                continue
            assert isinstance(priced, PricedInvoice)
            made += len(store_drafts(organization_id=clock.organization_id, priced=[priced], run=None, now=bill.due_at))
            _finalize_drafts(clock, bill.due_at)
        _finalize_drafts(clock, to)
        watched: dict[str, Any] = {"organization_id": clock.organization_id, "now": to, "test_clock": clock}
        made += len(invoice_left_late_usage(**watched)) + len(invoice_thresholds(**watched))
        expire_on_clock(test_clock=clock, until=to)
        _tell_moved(clock, to)
        record_audit(
            organization_id=clock.organization_id,
            action="test_clock.advance",
            target=clock.pk,
            before={"now": clock.now.isoformat()},
            after={"now": to.isoformat()},
            invoices=made,
        )
        clock.now, clock.problems = to, problems + late_usage_problems(clock.organization_id, test_clock=clock)
        clock.save(update_fields=["now", "problems"])
    return clock, made


def _tell_moved(clock: TestClock, to: datetime) -> None:
    for watcher in watchers():
        watcher.clock_moved(test_clock=clock, to=to)


def _finalize_drafts(clock: TestClock, until: datetime) -> None:
    """Finalize the drafts of the clock's customers whose grace period ends by `until`, each at that instant."""
    drafts = Invoice.objects.filter(
        customer__test_clock=clock, status=InvoiceStatus.DRAFT, finalize_at__lte=until
    ).order_by("finalize_at", "subscription_id", "-kind")
    for draft in drafts:
        assert draft.finalize_at is not None, "it was asked for"
        if draft.finalize_at > draft.created_at:
            refresh_draft(invoice=draft, now=draft.finalize_at)
            draft.refresh_from_db()
        finalize_drafts(organization_id=clock.organization_id, invoices=[draft], now=draft.finalize_at)


def _due(clock: TestClock, to: datetime) -> list[Bill]:
    """The bills of the clock's customers that are due by `to` and have no invoice, in order of time."""
    subscriptions = list(subscriptions_of(clock.organization_id).filter(customer__test_clock=clock))
    earliest = min((subscription.starts_at for subscription in subscriptions), default=to)
    bills = [
        bill
        for month in _months(earliest - _A_DAY, to + _A_DAY)
        for subscription in subscriptions
        for bill in bills_in_month(subscription, month)
        if bill.due_at <= to
    ]
    return sorted(without_invoice(bills), key=lambda bill: (bill.due_at, bill.subscription.pk))


def _months(first: datetime, last: datetime) -> Iterator[Month]:
    utc = ZoneInfo("UTC")
    month, end = Month.of(first, utc), Month.of(last, utc)
    while month <= end:
        yield month
        month = month.next()
