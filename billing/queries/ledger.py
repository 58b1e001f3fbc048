"""Reading the books: transactions, balances, a month's trial balance. They are kept in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from billing.models import LedgerEntry, LedgerTransaction
from kernel.period import Month

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
