"""The deferred revenue account is, by customer and currency, what its deferrals have not earned yet."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_DIFFERENCES = """
SELECT c.key, coalesce(b.currency, d.currency), coalesce(b.booked, 0), coalesce(d.unearned, 0)
FROM (
    SELECT t.customer_id, t.currency, -sum(e.amount) AS booked
    FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
    WHERE t.organization_id = %(organization)s AND e.account = 'deferred_revenue'
    GROUP BY t.customer_id, t.currency
) b
FULL JOIN (
    SELECT customer_id, currency, sum(amount - recognized) AS unearned FROM billing_deferredrevenue
    WHERE organization_id = %(organization)s GROUP BY customer_id, currency
) d USING (customer_id, currency)
JOIN billing_customer c ON c.id = customer_id
WHERE coalesce(b.booked, 0) <> coalesce(d.unearned, 0)
ORDER BY 1, 2
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"organization": organization_id})
        for customer, currency, booked, unearned in cursor.fetchall():
            yield Violation(
                f"{customer} in {currency}", f"deferred revenue is {booked}, and {unearned} is left to earn"
            )
