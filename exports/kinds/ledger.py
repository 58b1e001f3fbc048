"""The journal: every entry of the ledger that was booked in the month, in UTC. A debit is positive."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, F, QuerySet, Value, When

from billing.facade import LedgerEntry, trial_balance
from exports.columns import Rows, columns
from exports.tables import Kind, Selection, Table, read
from kernel.money import EXACT

_COLUMNS = columns(
    "transaction=transaction_id", "occurred_at:time=transaction__occurred_at", "kind=transaction__kind",
    "source=transaction__source", "customer=transaction__customer__key", "invoice=transaction__invoice__number",
    "credit_note=transaction__credit_note__number", "payment=transaction__payment_id",
    "account", "currency=transaction__currency", "debit:money", "credit:money", "amount:money", "entry:count=id",
)  # fmt: skip

_ZERO = Decimal(0)


def _found(selection: Selection) -> QuerySet[Any]:
    period = selection.month.period(ZoneInfo("UTC"))
    given = {"transaction__customer__key": selection.customer} if selection.customer else {}
    return LedgerEntry.objects.filter(
        transaction__organization_id=selection.organization.pk,
        transaction__occurred_at__gte=period.start,
        transaction__occurred_at__lt=period.end,
        **given,
    )


def _rows(selection: Selection) -> Iterator[Rows]:
    sides = {
        "debit": Case(When(amount__gt=0, then=F("amount")), default=Value(_ZERO)),
        "credit": Case(When(amount__lt=0, then=-F("amount")), default=Value(_ZERO)),
    }
    found = _found(selection).annotate(**sides).order_by("transaction__occurred_at", "transaction_id", "id")
    return read(found, _COLUMNS)


def _debits_in_trial_balance(selection: Selection) -> dict[str, Decimal] | None:
    """The month's debits by currency; of a single customer the books keep no trial balance."""
    if selection.customer is not None:
        return None
    sums: dict[str, Decimal] = {}
    for row in trial_balance(selection.organization.pk, selection.month):
        sums[row.currency] = EXACT.add(sums.get(row.currency, _ZERO), row.debits)
    return sums


LEDGER = Kind(
    name="ledger",
    tables=(
        Table(
            name="ledger",
            title="Ledger",
            columns=_COLUMNS,
            rows=_rows,
            expected=lambda selection: _found(selection).count(),
            ledger=_debits_in_trial_balance,
            tied={"debit": 1},
        ),
    ),
)
