"""The books: transactions, balances, a month's trial balance, the revenue schedule. In UTC."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from billing.ledger.deferrals import Deferral
from billing.ledger.postings import Account
from billing.models import DeferredRevenue, LedgerEntry, LedgerTransaction
from billing.rating.pricing.exact import ZERO, subtract, total
from kernel.money import minor_digits
from kernel.period import Month


def deferrals_of(lines: Iterable[str]) -> dict[str, list[Deferral]]:
    """The deferrals of invoice lines (ids), by line, of those that have any; negative ones take back."""
    found: dict[str, list[Deferral]] = defaultdict(list)
    rows = DeferredRevenue.objects.filter(line__in=list(lines)).order_by("id")
    for line, amount, starts_on, ends_on in rows.values_list("line", "amount", "starts_on", "ends_on"):
        found[line].append(Deferral(line, amount, starts_on, ends_on))
    return found


_BALANCES = """
SELECT e.account, t.currency, sum(e.amount)
FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
WHERE t.organization_id = %(organization)s
  AND (%(at)s::timestamptz IS NULL OR t.occurred_at < %(at)s)
  AND (%(customer)s::text IS NULL OR t.customer_id = %(customer)s)
GROUP BY e.account, t.currency ORDER BY t.currency, e.account
"""

_TRIAL_BALANCE = """
SELECT e.account, t.currency,
    coalesce(sum(e.amount) FILTER (WHERE t.occurred_at < %(start)s), 0),
    coalesce(sum(e.amount) FILTER (WHERE t.occurred_at >= %(start)s AND e.amount > 0), 0),
    coalesce(-sum(e.amount) FILTER (WHERE t.occurred_at >= %(start)s AND e.amount < 0), 0),
    sum(e.amount)
FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
WHERE t.organization_id = %(organization)s AND t.occurred_at < %(end)s
GROUP BY e.account, t.currency ORDER BY t.currency, e.account
"""


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The sum of an account's entries in one currency; a debit is positive."""

    account: str
    currency: str
    balance: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """An account's month: `closing` is `opening` and `debits` less `credits`."""

    account: str
    currency: str
    opening: Decimal
    debits: Decimal
    credits: Decimal
    closing: Decimal


def transactions_of(
    organization_id: int,
    *,
    customer_id: str | None = None,
    account: str | None = None,
    kind: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[LedgerTransaction]:
    """The organization's ledger transactions with their entries; those that touch `account`, from `start` up to
    `end`."""
    found = LedgerTransaction.objects.filter(organization_id=organization_id)
    given = {"customer": customer_id, "kind": kind, "occurred_at__gte": start, "occurred_at__lt": end}
    found = found.filter(**{name: value for name, value in given.items() if value is not None})
    if account is not None:
        found = found.filter(Exists(LedgerEntry.objects.filter(transaction=OuterRef("pk"), account=account)))
    return found.select_related("customer").prefetch_related("entries").order_by("id")


def account_balances(
    organization_id: int, *, at: datetime | None = None, customer_id: str | None = None
) -> list[AccountBalance]:
    """Each account's balance by currency, of all that happened before `at`; accounts never used are left out."""
    rows = _rows(_BALANCES, organization=organization_id, at=at, customer=customer_id)
    return [AccountBalance(*row) for row in rows]


def trial_balance(organization_id: int, month: Month) -> list[TrialBalanceRow]:
    """Each account's opening, debits, credits and closing by currency; every column sums to zero, debits and credits
    to the same."""
    period = month.period(ZoneInfo("UTC"))
    rows = _rows(_TRIAL_BALANCE, organization=organization_id, start=period.start, end=period.end)
    return [TrialBalanceRow(*row) for row in rows]


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


#: By month and currency, what the ledger says of an account (a credit positive here).
_POSTED = """
SELECT to_char(t.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM'), t.currency, e.account, -sum(e.amount)
FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
WHERE t.organization_id = %(organization)s AND t.occurred_at < %(end)s AND e.account = ANY(%(accounts)s)
  AND (%(customer)s::text IS NULL OR t.customer_id = %(customer)s)
GROUP BY 1, 2, 3
"""

#: By month and currency, what deferrals have yet to earn. Cumulative as in `billing.ledger.deferrals.earned_by`.
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
    given: dict[str, Any] = {"organization": organization_id, "end": end, "accounts": accounts, "customer": customer_id}
    with connection.cursor() as cursor:
        cursor.execute(_POSTED, given)
        return {(month, currency, account): amount for month, currency, account, amount in cursor.fetchall()}


def _scheduled(organization_id: int, customer_id: str | None) -> dict[tuple[str, str], Decimal]:
    given: dict[str, Any] = {
        "organization": organization_id,
        "digits": digits_of(organization_id),
        "customer": customer_id,
    }
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
