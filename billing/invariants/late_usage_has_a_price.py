"""Usage that came after its period was invoiced has a price, or is voided or amended."""

from __future__ import annotations

from collections.abc import Iterator

from billing.invariants.violation import Violation
from billing.invoicing.late_records import unpriceable_late_usage


def violations(organization_id: int) -> Iterator[Violation]:
    for one in unpriceable_late_usage(organization_id):
        yield Violation(
            one.pk,
            f"{one.line.invoice.customer.key}: {one.quantity:f} of {one.line.description} on invoice "
            f"{one.line.invoice} has no price: {one.problem}",
        )
