"""Credit that has run out, and that a bill may still draw on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from billing.models import CreditGrant, Subscription
from billing.queries.bills import Bill, bills_in_month, without_invoice
from billing.queries.customers import with_terms
from kernel.period import Month

#: Zones are up to 14 hours from UTC, so a month of some zone touches at most its neighbours in UTC.
_A_DAY = timedelta(days=1)


def without_open_bills(grants: Sequence[CreditGrant]) -> list[CreditGrant]:
    """Those of `grants` (which have all run out) in whose time no bill fell due that has no invoice yet."""
    subscriptions: dict[str, list[Subscription]] = defaultdict(list)
    for one in with_terms(Subscription.objects.filter(customer__in={grant.customer_id for grant in grants})):
        subscriptions[one.customer_id].append(one)
    bills = {grant.pk: list(_bills(grant, subscriptions[grant.customer_id])) for grant in grants}
    still_open = {bill.key for bill in without_invoice(bill for found in bills.values() for bill in found)}
    return [grant for grant in grants if not any(bill.key in still_open for bill in bills[grant.pk])]


def _bills(grant: CreditGrant, subscriptions: Sequence[Subscription]) -> Iterator[Bill]:
    """The bills that fell due in the grant's time."""
    assert grant.expires_at is not None
    for month in _months(grant.effective_at - _A_DAY, grant.expires_at + _A_DAY):
        for subscription in subscriptions:
            for bill in bills_in_month(subscription, month):
                if grant.effective_at < bill.due_at <= grant.expires_at:
                    yield bill


def _months(first: datetime, last: datetime) -> Iterator[Month]:
    utc = ZoneInfo("UTC")
    month, end = Month.of(first, utc), Month.of(last, utc)
    while month <= end:
        yield month
        month = month.next()
