from __future__ import annotations

from collections.abc import Iterator

from billing.facade import Invoice
from exports.columns import Rows, columns
from exports.kinds.billed import NOT_COUNTED, billed_in_ledger, invoice_filters
from exports.tables import Kind, Selection, Table, read

_COLUMNS = columns(
    "number", "id", "status", "customer=customer__key", "customer_name=customer__name", "tax_id=customer__tax_id",
    "plan=subscription__plan_version__plan__key", "currency",
    "subtotal:money", "discount:money", "credits_applied:money", "tax:money", "total:money", "amount_due:money",
    "period_start:time", "period_end:time", "finalized_at:time", "due_at:time", "paid_at:time", "voided_at:time",
)  # fmt: skip


def _rows(selection: Selection) -> Iterator[Rows]:
    found = Invoice.objects.filter(**invoice_filters(selection))
    return read(found.order_by("created_at", "number", "id"), _COLUMNS)


def _expected(selection: Selection) -> int:
    return Invoice.objects.filter(**invoice_filters(selection)).count()


INVOICES = Kind(
    name="invoices",
    by_status=True,
    tables=(
        Table(
            name="invoices",
            title="Invoices",
            columns=_COLUMNS,
            rows=_rows,
            expected=_expected,
            uncounted={"status": NOT_COUNTED},
            ledger=billed_in_ledger,
            tied={"total": 1},
        ),
    ),
)
