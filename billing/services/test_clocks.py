"""A year of billing in seconds: time that moves when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.facade import Organization
from billing.models import TestClock
from billing.queries.bills import Bill, bills_in_month, without_invoice
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_bills
from billing.services.credit_expiry import expire_on_clock
from billing.services.invoices import issue_invoices
from billing.services.isolation import read_one_snapshot
from kernel.errors import InvalidError
from kernel.period import Month

#: Zones are up to 14 hours from UTC, so a month of some zone touches at most its neighbours in UTC.
_A_DAY = timedelta(days=1)

#: How far a clock may be moved at once.
_FURTHEST = timedelta(days=366 * 5)


class ClockInvalid(InvalidError):
    code = "test_clock_invalid"


def create_test_clock(*, organization: Organization, now: datetime) -> TestClock:
    """A clock that stands at `now`."""
    return TestClock.objects.create(organization=organization, now=now)


def advance_test_clock(*, test_clock: TestClock, to: datetime) -> tuple[TestClock, int]:
    """Move a clock forward and do all the billing that falls due on the way, each invoice at its own instant.

    Answers the clock and how many invoices were issued, all or none. Raises `ClockInvalid` for a step
    backwards or of more than five years, and what kept a bill from being priced.
    """
    with transaction.atomic():
        read_one_snapshot()
        clock = TestClock.objects.select_for_update().get(pk=test_clock.pk)
        if not clock.now <= to <= clock.now + _FURTHEST:
            raise ClockInvalid("A test clock moves forward, by at most five years at once")
        issued = 0
        for bill in _due(clock, to):
            # Credit that has run out before cannot pay it; what was rolled over can.
            expire_on_clock(test_clock=clock, until=bill.due_at - timedelta(microseconds=1))
            [priced] = price_bills([bill])
            if isinstance(priced, Unpriceable):
                raise priced.error
            assert isinstance(priced, PricedInvoice)
            issued += len(
                issue_invoices(organization_id=clock.organization_id, priced=[priced], run=None, now=bill.due_at)
            )
        expire_on_clock(test_clock=clock, until=to)
        clock.now = to
        clock.save(update_fields=["now"])
    return clock, issued


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
