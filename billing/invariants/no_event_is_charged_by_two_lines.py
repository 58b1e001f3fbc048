"""No event is charged by two plans of a customer, void invoices and lines that a correction gave back of left aside.

Two usage lines of one meter, of different subscriptions or plans, whose times overlap and whose filters both let the
same events pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db import connection

from billing.invariants.violation import Violation
from billing.invoicing.queries import line_question
from billing.models import InvoiceLine
from billing.subscriptions.overlaps import are_disjoint
from metering.facade import LineQuestion, line_quantity

#: Threshold invoices charge part of what a period's own invoice charges.
_CANDIDATES = """
WITH line AS (
    SELECT l.id, l.period_start, l.period_end, p.meter_id, i.customer_id,
        i.subscription_id || ' ' || v.plan_id AS source
    FROM billing_invoiceline l
    JOIN billing_invoice i ON i.id = l.invoice_id AND i.status NOT IN ('draft', 'void') AND i.kind = 'cycle'
    JOIN billing_price p ON p.id = l.price_id
    JOIN billing_planversion v ON v.id = p.plan_version_id
    WHERE i.organization_id = %s AND l.role = 'charge' AND l.kind = 'usage' AND l.amount <> 0 AND l.events > 0
        AND NOT EXISTS (
            SELECT FROM billing_creditnoteline n JOIN billing_creditnote c ON c.id = n.credit_note_id
            WHERE n.line_id = l.id AND c.kind = 'correction'
        )
), several AS (
    SELECT customer_id, meter_id FROM line GROUP BY customer_id, meter_id HAVING count(DISTINCT source) > 1
)
SELECT a.id, b.id
FROM several
JOIN line a USING (customer_id, meter_id)
JOIN line b USING (customer_id, meter_id)
WHERE a.id < b.id AND a.source <> b.source AND a.period_start < b.period_end AND b.period_start < a.period_end
ORDER BY a.id, b.id
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, [organization_id])
        pairs = cursor.fetchall()
    rows = InvoiceLine.objects.filter(pk__in={line for pair in pairs for line in pair})
    lines = rows.select_related("invoice__customer", "invoice__subscription", "price").in_bulk()
    for pair in pairs:
        first, second = lines[pair[0]], lines[pair[1]]
        question = _both(first, second)
        events = line_quantity(question)[1] if question else 0
        if events:
            yield Violation(
                f"{first.invoice} line {first.position + 1} and {second.invoice} line {second.position + 1}",
                f"{first.invoice.customer.key}: both charge {events} events of {first.description!r} and "
                f"{second.description!r}",
            )


def _both(first: InvoiceLine, second: InvoiceLine) -> LineQuestion | None:
    """The events that both lines counted, on the transactions that the first could see; None where there are none."""
    one, other = (line_question(invoice=line.invoice, line=line) for line in (first, second))
    period = one.period.intersection(other.period.start, other.period.end)
    if period is None or are_disjoint(one.where, other.where):
        return None
    where: dict[str, Any] = {**one.where, **other.where}
    names = tuple(set(one.names or ()) & set(other.names or ()))
    return replace(one, period=period, where=where, names=names, unnamed=one.unnamed and other.unnamed)
