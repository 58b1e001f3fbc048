"""A month's invoices as data frames: what stands in which column, and how it is typed.

Frames hold objects (Decimal, datetime, str, int), never floats: pandas lays out and adds up, and rounds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import localcontext
from itertools import islice
from typing import Any

import pandas as pd

from billing.models import Invoice, InvoiceLine
from billing.queries.invoices import invoices_of
from kernel.money import EXACT, round_to_currency
from kernel.period import Month

#: Invoices held in memory at once.
CHUNK = 500

_MONEY = ("subtotal", "discount", "credits_applied", "tax", "total", "amount_due")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and kind: `text`, `count`, `number` and `price` (of any scale), `money` (with the digits of
    the row's currency), `time`."""

    name: str
    kind: str = "text"


def _columns(*specs: str) -> tuple[Column, ...]:
    return tuple(Column(*spec.split(":")) for spec in specs)


INVOICES = _columns(
    "number", "id", "status", "customer", "customer_name", "tax_id", "plan", "currency",
    *(f"{name}:money" for name in _MONEY),
    "period_start:time", "period_end:time", "finalized_at:time", "due_at:time", "paid_at:time", "voided_at:time",
)  # fmt: skip

LINES = _columns(
    "invoice", "position:count", "id", "customer", "price", "kind", "description", "quantity:number",
    "unit_amount:price", "currency", "amount:money", "tax_rate:number", "tax:money",
    "period_start:time", "period_end:time", "events:count",
)  # fmt: skip

TOTALS = _columns("currency", "invoices:count", *(f"{name}:money" for name in _MONEY))

#: Invoices that nobody owes (any more), so no total counts them.
_NOT_COUNTED = ("draft", "void")


def month_frames(organization_id: int, month: Month) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """The month's invoices and their lines, in the order of their numbers, `CHUNK` invoices at a time."""
    by_number = invoices_of(organization_id, month=month).order_by("created_at", "number", "id")
    invoices = by_number.iterator(chunk_size=CHUNK)
    while chunk := list(islice(invoices, CHUNK)):
        lines = [_line(invoice, line) for invoice in chunk for line in invoice.lines.all()]
        yield _frame(INVOICES, [_invoice(invoice) for invoice in chunk]), _frame(LINES, lines)


def totals_frame(invoices: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """What the invoices of these frames come to, by currency; drafts and void ones are left out."""
    both = pd.concat(invoices) if invoices else _frame(INVOICES, [])
    counted = both[~both["status"].isin(_NOT_COUNTED)]
    rows = []
    with localcontext(EXACT):
        for currency, group in counted.groupby("currency", sort=True):
            rows.append([currency, len(group), *(sum(group[name]) for name in _MONEY)])
    return _frame(TOTALS, rows)


def _frame(columns: Sequence[Column], rows: list[list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)


def _invoice(one: Invoice) -> list[Any]:
    return [
        one.number,
        one.pk,
        one.status,
        one.customer.key,
        one.customer.name,
        one.customer.tax_id,
        one.subscription.plan_version.plan.key,
        one.currency,
        *(round_to_currency(getattr(one, name), one.currency) for name in _MONEY),
        one.period_start,
        one.period_end,
        one.finalized_at,
        one.due_at,
        one.paid_at,
        one.voided_at,
    ]


def _line(invoice: Invoice, one: InvoiceLine) -> list[Any]:
    return [
        invoice.number,
        one.position + 1,
        one.pk,
        invoice.customer.key,
        one.price.key if one.price else "",
        one.kind,
        one.description,
        one.quantity,
        one.unit_amount,
        invoice.currency,
        round_to_currency(one.amount, invoice.currency),
        one.tax_rate,
        round_to_currency(one.tax, invoice.currency),
        one.period_start,
        one.period_end,
        one.events,
    ]
