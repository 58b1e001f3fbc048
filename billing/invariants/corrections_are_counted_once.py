"""Money that a credit note gave back to correct a line is not given back again by voided usage or late corrections.

Late usage that lowers a line is set off against the line's corrections from before the invoice that adjusts it, as far
as earlier adjustments have not used them up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from billing.invariants.violation import Violation
from billing.invoicing.advance import given_back
from billing.invoicing.models import InvoiceStatus
from billing.models import CreditNoteLine, LateUsage
from billing.payments.models import CreditNoteKind


def violations(organization_id: int) -> Iterator[Violation]:
    corrections = (
        CreditNoteLine.objects.filter(
            credit_note__organization_id=organization_id, credit_note__kind=CreditNoteKind.CORRECTION
        )
        .exclude(line__invoice__status=InvoiceStatus.VOID)
        .filter(line__late_usage__adjustment__isnull=False)
        .distinct()
        .values_list("line_id", "credit_note_id", "amount")
    )
    of_line = defaultdict(list)
    for line, note, amount in corrections:
        of_line[line].append((_order(note), amount))
    adjusted = (
        LateUsage.objects.filter(line__in=of_line, adjustment__isnull=False)
        .exclude(adjustment__invoice__status=InvoiceStatus.VOID)
        .select_related("line__invoice", "adjustment__invoice")
        .order_by("adjustment__invoice_id", "pk")
    )
    used: dict[str, Decimal] = defaultdict(Decimal)
    for late in adjusted:
        assert late.adjustment is not None, "it was asked for"
        before = sum(
            (amount for at, amount in of_line[late.line_id] if at < _order(late.adjustment.invoice_id)), Decimal(0)
        )
        left = max(given_back(late.line, before) - used[late.line_id], Decimal(0))
        most = max(-late.amount - left, Decimal(0))
        if late.amount < 0 and -late.adjustment.amount > most:
            yield Violation(
                str(late.adjustment.invoice),
                f"{-late.adjustment.amount} is given back of {late.line.description!r}, and {most} is left after a "
                "credit note",
            )
        used[late.line_id] += max(late.adjustment.amount - late.amount, Decimal(0))


def _order(id: str) -> str:
    """The part of an id that says when it was made, by the server's clock also for customers on test clocks."""
    return id.rpartition("_")[2]
