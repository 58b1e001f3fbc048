"""Which invoices an export is about, and what the books say they come to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Sum

from billing.facade import Invoice, LedgerEntry
from exports.tables import Selection

#: Invoices that nobody owes (any more), so no total counts them.
NOT_COUNTED = frozenset({"draft", "void", "skipped"})

#: What an invoice books as earned, to be earned, and owed to the tax office, is what it comes to.
_BILLED = ("revenue", "deferred_revenue", "tax_payable")


def invoice_filters(selection: Selection, prefix: str = "") -> dict[str, Any]:
    """The conditions on an invoice, reached by `prefix`."""
    given = {
        "organization_id": selection.organization.pk,
        "month": str(selection.month),
        "customer__key": selection.customer,
        "status": selection.status,
    }
    return {f"{prefix}{name}": value for name, value in given.items() if value is not None}


def billed_in_ledger(selection: Selection) -> dict[str, Decimal]:
    """What the ledger says the selected invoices were billed, by currency: those that were voided come to nothing."""
    invoices = Invoice.objects.filter(**invoice_filters(selection))
    entries = LedgerEntry.objects.filter(
        transaction__invoice__in=invoices.values("pk"),
        transaction__kind__in=["invoice", "void"],
        account__in=_BILLED,
    )
    sums = entries.values_list("transaction__currency").annotate(Sum("amount")).order_by("transaction__currency")
    return {currency: -amount for currency, amount in sums}
