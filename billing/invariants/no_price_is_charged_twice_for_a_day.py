"""No price of a subscription is charged twice for overlapping periods, void invoices left aside.

What threshold invoices charge of an open period, its own invoice takes off again. A fee paid in advance may be charged
again for days on which its plan was left and taken up again, as far as it was given back for them.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation
from billing.invoicing.advance import Pair, days_charged

_OVERLAPS = """
SELECT a.number, b.number, l.description, p.bill = 'in_advance', a.subscription_id, p.id
FROM billing_invoiceline l
JOIN billing_price p ON p.id = l.price_id
JOIN billing_invoice a ON a.id = l.invoice_id AND a.status <> 'void' AND a.kind <> 'threshold'
JOIN billing_invoice b ON b.subscription_id = a.subscription_id AND b.id > a.id AND b.status <> 'void'
    AND b.kind <> 'threshold'
JOIN billing_invoiceline m ON m.invoice_id = b.id AND m.price_id = l.price_id AND m.role = 'charge'
    AND m.period_start < l.period_end AND l.period_start < m.period_end
WHERE a.organization_id = %s AND l.role = 'charge'
ORDER BY 1, 2
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAPS, [organization_id])
        found = cursor.fetchall()
    given_back: set[Pair] = {
        (one.subscription.pk, one.price.pk)
        for one in days_charged((subscription, price) for *_, in_advance, subscription, price in found if in_advance)
        if one.charged_twice <= one.given_back + one.tolerance
    }
    for first, second, description, _, subscription, price in found:
        if (subscription, price) not in given_back:
            yield Violation(f"{first} and {second}", f"both charge {description!r} for the same days")
