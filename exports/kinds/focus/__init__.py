"""The FinOps Open Cost and Usage Specification, version 1.4: what customers were billed, in three files that join."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Max, Min, Q, Sum

from billing.facade import Invoice, InvoiceStatus, LedgerEntry, runs_of
from exports.columns import Rounding, Row, Rows
from exports.kinds.billed import invoice_filters
from exports.kinds.focus.declared import BILLING_PERIOD, COST_AND_USAGE, INVOICE_DETAIL
from exports.kinds.focus.rows import (
    Common,
    detail_of_invoice,
    detail_of_note,
    usage_of_invoice,
    usage_of_note,
    whole_seconds,
)
from exports.kinds.focus.sources import credit_notes, invoices, notes_with_lines, shares_of
from exports.tables import Kind, Selection, Table, batches

_OPEN = frozenset({"Open"})

#: What a document bills, less what prepaid credit paid of it.
_PAYABLE = ("revenue", "deferred_revenue", "tax_payable", "customer_credits", "promotion_expense")


def _cost_and_usage(selection: Selection) -> Iterator[Rows]:
    rounding = Rounding(COST_AND_USAGE, "BillingCurrency")
    return batches(rounding.row(row) for row in _usage(selection))


def _usage(selection: Selection) -> Iterator[Row]:
    common = Common.of(selection)
    for some in invoices(selection):
        shares = shares_of(some)
        for invoice in some:
            yield from usage_of_invoice(common, invoice, shares)
    for notes in notes_with_lines(selection):
        for note in notes:
            yield from usage_of_note(common, note, list(note.lines.all()))


def _invoice_detail(selection: Selection) -> Iterator[Rows]:
    rounding = Rounding(INVOICE_DETAIL, "BillingCurrency")
    return batches(rounding.row(row) for row in _detail(selection))


def _detail(selection: Selection) -> Iterator[Row]:
    common = Common.of(selection)
    for some in invoices(selection):
        for invoice in some:
            yield from detail_of_invoice(common, invoice)
    for notes in notes_with_lines(selection):
        for note in notes:
            yield from detail_of_note(common, note, list(note.lines.all()))


def _billing_period(selection: Selection) -> Iterator[Rows]:
    """The month itself. It is closed when a run has closed it and no draft is left."""
    common = Common.of(selection)
    found = Invoice.objects.filter(organization_id=selection.organization.pk, month=str(selection.month))
    times = found.aggregate(first=Min("created_at"), last=Max("finalized_at"), created=Max("created_at"))
    times["voided"] = found.aggregate(at=Max("voided_at"))["at"]
    runs = runs_of(selection.organization.pk).filter(month=str(selection.month), status="succeeded")
    is_closed = runs.exists() and not found.filter(status=InvoiceStatus.DRAFT).exists()
    created = whole_seconds(times["first"] or common.period.start)
    known = [at for name, at in times.items() if at and name != "first"]
    updated = whole_seconds(max(known, default=created))
    status = "Closed" if is_closed else "Open"
    yield [(created, common.period.end, updated, common.period.start, status, common.issuer)]


def _payable_in_ledger(selection: Selection) -> dict[str, Decimal]:
    """What the ledger says that the month's invoices and credit notes come to, by currency."""
    of_invoices = Invoice.objects.filter(**invoice_filters(selection)).values("pk")
    entries = LedgerEntry.objects.filter(
        Q(transaction__invoice__in=of_invoices, transaction__kind__in=["invoice", "void"])
        | Q(transaction__credit_note__in=credit_notes(selection).values("pk"), transaction__kind="credit_note"),
        transaction__organization_id=selection.organization.pk,
        account__in=_PAYABLE,
    )
    sums = entries.values_list("transaction__currency").annotate(Sum("amount")).order_by("transaction__currency")
    return {currency: -amount for currency, amount in sums}


FOCUS = Kind(
    name="focus",
    tables=(
        Table(
            name="focus-cost-and-usage",
            title="Cost and Usage",
            columns=COST_AND_USAGE,
            rows=_cost_and_usage,
            currency="BillingCurrency",
            uncounted={"x_InvoiceIssueStatus": _OPEN},
            ledger=_payable_in_ledger,
            tied={"BilledCost": 1},
            exact_names=True,
        ),
        Table(
            name="focus-invoice-detail",
            title="Invoice Detail",
            columns=INVOICE_DETAIL,
            rows=_invoice_detail,
            currency="BillingCurrency",
            uncounted={"InvoiceIssueStatus": _OPEN},
            ledger=_payable_in_ledger,
            tied={"BilledCost": 1},
            exact_names=True,
        ),
        Table(
            name="focus-billing-period",
            title="Billing Period",
            columns=BILLING_PERIOD,
            rows=_billing_period,
            exact_names=True,
        ),
    ),
)
