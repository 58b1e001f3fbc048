"""When revenue was recognized, and when what is deferred will be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection

from billing.domain.postings import Account
from billing.domain.pricing.exact import ZERO, subtract, total
from billing.models import DeferredRevenue
from kernel.money import minor_digits
from kernel.period import Month

#: By month and currency, what the ledger says of an account (a credit positive here).
_POSTED = """
SELECT to_char(t.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM'), t.currency, e.account, -sum(e.amount)
FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
WHERE t.organization_id = %(organization)s AND t.occurred_at < %(end)s AND e.account = ANY(%(accounts)s)
  AND (%(customer)s::text IS NULL OR t.customer_id = %(customer)s)
GROUP BY 1, 2, 3
"""

#: By month and currency, what deferrals have yet to earn. Cumulative as in `billing.domain.deferrals.earned_by`.
_SCHEDULED = """
WITH open AS (
    SELECT d.*, coalesce((%(digits)s::jsonb ->> d.currency)::int, 2) AS digits,
        greatest(d.recognized_until, (d.booked_at AT TIME ZONE 'UTC')::date) AS from_on
    FROM billing_deferredrevenue d
    WHERE d.organization_id = %(organization)s AND d.recognized_until < d.ends_on
      AND (%(customer)s::text IS NULL OR d.customer_id = %(customer)s)
), steps AS (
    SELECT open.*, m.first::date AS first, least((m.first + interval '1 month')::date, ends_on) AS until
    FROM open, generate_series(date_trunc('month', from_on::timestamp),
        greatest(ends_on - 1, from_on)::timestamp, interval '1 month') AS m (first)
), earned AS (
    SELECT to_char(first, 'YYYY-MM') AS month, currency,
        CASE WHEN until >= ends_on THEN amount
            ELSE round(amount * (until - starts_on) / (ends_on - starts_on), digits) END
        - CASE WHEN first <= from_on THEN recognized
            ELSE round(amount * greatest(first - starts_on, 0) / (ends_on - starts_on), digits) END AS amount
    FROM steps
)
SELECT month, currency, sum(amount) FROM earned GROUP BY month, currency
"""


@dataclass(frozen=True, slots=True)
class ScheduledMonth:
    """A month of revenue in one currency: what was posted as earned, what is still to be, and what is left deferred
    after both."""

    month: Month
    currency: str
    recognized: Decimal
    scheduled: Decimal
    deferred: Decimal


def revenue_schedule(
    organization_id: int, *, first: Month, last: Month, customer_id: str | None = None
) -> list[ScheduledMonth]:
    """Every month from `first` to `last` by currency."""
    posted, scheduled = _posted(organization_id, last, customer_id), _scheduled(organization_id, customer_id)
    currencies = sorted({currency for _, currency, _ in posted} | {currency for _, currency in scheduled})
    found = []
    for currency in currencies:
        deferred = ZERO
        for month in _months(min([first, *_known(posted, scheduled)]), last):
            key = str(month), currency
            to_earn = scheduled.get(key, ZERO)
            booked = posted.get((*key, Account.DEFERRED_REVENUE.value), ZERO)
            deferred = subtract(total((deferred, booked)), to_earn)
            if month >= first:
                recognized = posted.get((*key, Account.REVENUE.value), ZERO)
                found.append(ScheduledMonth(month, currency, recognized, to_earn, deferred))
    return sorted(found, key=lambda one: (one.month, one.currency))


def _known(posted: dict[tuple[str, str, str], Decimal], scheduled: dict[tuple[str, str], Decimal]) -> list[Month]:
    return [Month.parse(text) for text in {key[0] for key in (*posted, *scheduled)}]


def _months(first: Month, last: Month) -> Iterator[Month]:
    while first <= last:
        yield first
        first = first.next()


def _posted(organization_id: int, last: Month, customer_id: str | None) -> dict[tuple[str, str, str], Decimal]:
    end: datetime = last.period(ZoneInfo("UTC")).end
    accounts = [Account.REVENUE.value, Account.DEFERRED_REVENUE.value]
    given = {"organization": organization_id, "end": end, "accounts": accounts, "customer": customer_id}
    with connection.cursor() as cursor:
        cursor.execute(_POSTED, given)
        return {(month, currency, account): amount for month, currency, account, amount in cursor.fetchall()}


def _scheduled(organization_id: int, customer_id: str | None) -> dict[tuple[str, str], Decimal]:
    given = {"organization": organization_id, "digits": digits_of(organization_id), "customer": customer_id}
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with connection.cursor() as cursor:
        cursor.execute(_SCHEDULED, given)
        for month, currency, amount in cursor.fetchall():
            found[month, currency] = amount
    return found


def digits_of(organization_id: int) -> str:
    """The digits of the currencies in which the organization has deferred revenue, as JSON."""
    currencies = DeferredRevenue.objects.filter(organization_id=organization_id).values_list("currency", flat=True)
    return json.dumps({currency: minor_digits(currency) for currency in currencies.order_by().distinct()})
