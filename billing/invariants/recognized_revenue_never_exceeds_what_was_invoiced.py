"""What is earned and what is deferred are together what was invoiced less what was credited (net, by customer and
currency), and no deferral has earned more than it is."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_DIFFERENCES = """
SELECT c.key, coalesce(b.currency, i.currency), coalesce(b.booked, 0), coalesce(i.invoiced, 0)
FROM (
    SELECT t.customer_id, t.currency, -sum(e.amount) AS booked
    FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
    WHERE t.organization_id = %(organization)s AND e.account IN ('revenue', 'deferred_revenue')
    GROUP BY t.customer_id, t.currency
) b
FULL JOIN (
    SELECT customer_id, currency, sum(amount) AS invoiced FROM (
        SELECT customer_id, currency, subtotal - discount AS amount FROM billing_invoice
        WHERE organization_id = %(organization)s AND number IS NOT NULL AND status <> 'void'
        UNION ALL
        SELECT i.customer_id, n.currency, -n.subtotal
        FROM billing_creditnote n JOIN billing_invoice i ON i.id = n.invoice_id
        WHERE n.organization_id = %(organization)s
    ) AS documents GROUP BY customer_id, currency
) i USING (customer_id, currency)
JOIN billing_customer c ON c.id = customer_id
WHERE coalesce(b.booked, 0) <> coalesce(i.invoiced, 0)
ORDER BY 1, 2
"""

_EXCEEDING = """
SELECT id, amount, recognized FROM billing_deferredrevenue
WHERE organization_id = %s AND (abs(recognized) > abs(amount) OR sign(recognized) * sign(amount) < 0
    OR (recognized_until >= ends_on AND recognized <> amount))
ORDER BY id
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"organization": organization_id})
        for customer, currency, booked, invoiced in cursor.fetchall():
            yield Violation(
                f"{customer} in {currency}", f"earned and deferred are {booked}, invoiced less credited {invoiced}"
            )
        cursor.execute(_EXCEEDING, [organization_id])
        for deferral, amount, recognized in cursor.fetchall():
            yield Violation(f"deferral {deferral}", f"{recognized} of {amount} is recognized")
