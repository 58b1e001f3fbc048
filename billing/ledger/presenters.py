"""Filling the API answers of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from billing.customers.presenters import money
from billing.ledger.queries import AccountBalance, ScheduledMonth, TrialBalanceRow
from billing.models import LedgerTransaction


def transaction(one: LedgerTransaction) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "occurred_at": one.occurred_at,
        "currency": one.currency,
        "customer": one.customer.key,
        "invoice": one.invoice_id,
        "payment": one.payment_id,
        "credit_note": one.credit_note_id,
        "entries": [
            {"account": entry.account, "amount": money(entry.amount, one.currency)} for entry in one.entries.all()
        ],
    }


def balance(one: AccountBalance) -> dict[str, str]:
    return {"account": one.account, "currency": one.currency, "balance": money(one.balance, one.currency)}


_COLUMNS = ("opening", "debits", "credits", "closing")


def trial_balance_row(one: TrialBalanceRow) -> dict[str, str]:
    return {"account": one.account, "currency": one.currency} | {
        name: money(getattr(one, name), one.currency) for name in _COLUMNS
    }


def trial_balance_totals(rows: Iterable[TrialBalanceRow]) -> list[dict[str, str]]:
    """The columns' sums by currency."""
    sums: dict[str, dict[str, Decimal]] = {}
    for one in rows:
        of_currency = sums.setdefault(one.currency, dict.fromkeys(_COLUMNS, Decimal(0)))
        for name in _COLUMNS:
            of_currency[name] += getattr(one, name)
    return [
        {"currency": currency} | {name: money(amount, currency) for name, amount in columns.items()}
        for currency, columns in sums.items()
    ]


def revenue_month(one: ScheduledMonth) -> dict[str, str]:
    return {"month": str(one.month), "currency": one.currency} | {
        name: money(getattr(one, name), one.currency) for name in ("recognized", "scheduled", "deferred")
    }
