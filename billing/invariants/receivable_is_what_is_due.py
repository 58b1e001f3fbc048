"""The receivable account is, by customer and currency, what is due of finalized invoices."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_DIFFERENCES = """
SELECT c.key, coalesce(b.currency, i.currency), coalesce(b.booked, 0), coalesce(i.due, 0)
FROM (
    SELECT t.customer_id, t.currency, sum(e.amount) AS booked
    FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
    WHERE t.organization_id = %(organization)s AND e.account = 'receivable'
    GROUP BY t.customer_id, t.currency
) b
FULL JOIN (
    SELECT customer_id, currency, sum(amount_due) AS due FROM billing_invoice
    WHERE organization_id = %(organization)s AND status = 'finalized'
    GROUP BY customer_id, currency
) i USING (customer_id, currency)
JOIN billing_customer c ON c.id = customer_id
WHERE coalesce(b.booked, 0) <> coalesce(i.due, 0)
ORDER BY 1, 2
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"organization": organization_id})
        for customer, currency, booked, due in cursor.fetchall():
            yield Violation(f"{customer} in {currency}", f"receivable is {booked}, and {due} is due")
