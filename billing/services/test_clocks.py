"""A year of billing in seconds: time that moves when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.facade import Organization, record_audit
from billing.models import Invoice, TestClock
from billing.models.invoices import InvoiceStatus
from billing.queries.bills import Bill, bills_in_month, without_invoice
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_bills
from billing.services.credit_expiry import expire_on_clock
from billing.services.drafts import refresh_draft
from billing.services.invoices import finalize_drafts, store_drafts
from billing.services.late_usage import find_late_usage, invoice_left_late_usage
from billing.services.thresholds import invoice_thresholds
from billing.watching import watchers
from kernel.errors import InvalidError
from kernel.period import Month
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

    Answers the clock and how many invoices were made, all or none. Raises `ClockInvalid` for a step
    backwards or of more than five years, and what kept a bill from being priced.
    """
    return retried(partial(_advance, test_clock, to))


def _advance(test_clock: TestClock, to: datetime) -> tuple[TestClock, int]:
    with transaction.atomic():
        read_one_snapshot()
        clock = TestClock.objects.select_for_update().get(pk=test_clock.pk)
        if not clock.now <= to <= clock.now + _FURTHEST:
            raise ClockInvalid("A test clock moves forward, by at most five years at once")
        find_late_usage(organization_id=clock.organization_id, now=to)
        made = 0
        for bill in _due(clock, to):
            # Credit that has run out before cannot pay it; what was rolled over can.
            expire_on_clock(test_clock=clock, until=bill.due_at - timedelta(microseconds=1))
            _finalize_drafts(clock, bill.due_at)
            _tell_moved(clock, bill.due_at)
            [priced] = price_bills([bill])
            if isinstance(priced, Unpriceable):
                raise priced.error
            assert isinstance(priced, PricedInvoice)
            made += len(store_drafts(organization_id=clock.organization_id, priced=[priced], run=None, now=bill.due_at))
            _finalize_drafts(clock, bill.due_at)
        _finalize_drafts(clock, to)
        watched = {"organization_id": clock.organization_id, "now": to, "test_clock": clock}
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
        clock.now = to
        clock.save(update_fields=["now"])
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
