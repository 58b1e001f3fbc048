"""Invoice numbers run from 1 to the last one given, each once."""

from __future__ import annotations

from collections.abc import Iterator

from billing.invariants.violation import Violation
from billing.invoicing.issuing import invoice_number
from billing.models import Invoice, InvoiceCounter


def violations(organization_id: int) -> Iterator[Violation]:
    counter = InvoiceCounter.objects.filter(organization_id=organization_id).first()
    given = {invoice_number(n) for n in range(1, (counter.last if counter else 0) + 1)}
    numbered = Invoice.objects.filter(organization_id=organization_id, number__isnull=False)
    found = {str(number) for number in numbered.values_list("number", flat=True)}
    for number in sorted(given - found):
        yield Violation(number, "was given, and there is no invoice with it")
    for number in sorted(found - given):
        yield Violation(number, "was never given")
