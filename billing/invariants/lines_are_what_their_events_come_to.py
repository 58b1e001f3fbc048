"""A usage line's quantity and number of events are what the log says on the transactions it was priced from."""

from __future__ import annotations

from collections.abc import Iterator

from billing.invariants.violation import Violation
from billing.invoicing.queries import line_question
from billing.models import InvoiceLine
from metering.facade import line_quantity


def violations(organization_id: int) -> Iterator[Violation]:
    lines = (
        InvoiceLine.objects.filter(invoice__organization_id=organization_id, meter_version__isnull=False)
        .select_related("invoice__customer", "invoice__subscription", "price")
        .order_by("id")
    )
    for line in lines.iterator(chunk_size=1000):
        quantity, events = line_quantity(line_question(invoice=line.invoice, line=line))
        if (quantity, events) != (line.quantity, line.events):
            yield Violation(
                f"{line.invoice.number} line {line.position + 1}",
                f"billed {line.quantity} of {line.events} events, the log has {quantity} of {events}",
            )
