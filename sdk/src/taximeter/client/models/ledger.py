"""The books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One side of a posting."""

    account: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTransaction:
    """A balanced posting: its entries sum to zero."""

    id: str
    kind: str
    occurred_at: datetime
    currency: str
    customer: str
    invoice: str | None
    payment: str | None
    credit_note: str | None
    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """What an account holds."""

    account: str
    currency: str
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalances:
    """What the accounts hold at an instant."""

    at: datetime | None
    data: tuple[AccountBalance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalanceTotal:
    """The sums of a currency."""

    currency: str
    opening: Decimal
    debits: Decimal
    credits: Decimal
    closing: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalanceRow(TrialBalanceTotal):
    """An account over a month."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """All accounts over a month, and their totals."""

    month: str
    data: tuple[TrialBalanceRow, ...]
    totals: tuple[TrialBalanceTotal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueMonth:
    """Revenue of a month: recognized, still to come, and deferred at its end."""

    month: str
    currency: str
    recognized: Decimal
    scheduled: Decimal
    deferred: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueSchedule:
    """Revenue by month."""

    data: tuple[RevenueMonth, ...]
