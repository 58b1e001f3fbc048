from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F

from billing.facade import InvoiceLine
from exports.columns import Rows, columns
from exports.kinds.billed import NOT_COUNTED, billed_in_ledger, invoice_filters
from exports.tables import Kind, Selection, Table, read

_COLUMNS = columns(
    "invoice=invoice__number", "position:count=place", "id", "customer=invoice__customer__key", "price=price__key",
    "kind", "description", "quantity:number", "unit_amount:price", "currency=invoice__currency", "amount:money",
    "tax_rate:number", "tax:money", "period_start:time", "period_end:time", "events:count",
    "discount:money", "status=invoice__status", "invoice_id",
)  # fmt: skip


def _rows(selection: Selection) -> Iterator[Rows]:
    found = InvoiceLine.objects.filter(**invoice_filters(selection, "invoice__")).annotate(place=F("position") + 1)
    in_order = found.order_by("invoice__created_at", "invoice__number", "invoice_id", "position")
    return read(in_order, _COLUMNS)


def _expected(selection: Selection) -> int:
    return InvoiceLine.objects.filter(**invoice_filters(selection, "invoice__")).count()


LINES = Kind(
    name="lines",
    by_status=True,
    tables=(
        Table(
            name="invoice-lines",
            title="Lines",
            columns=_COLUMNS,
            rows=_rows,
            expected=_expected,
            uncounted={"status": NOT_COUNTED},
            ledger=billed_in_ledger,
            tied={"amount": 1, "discount": -1, "tax": 1},
        ),
    ),
)
