"""An invoice's discount is the sum of those of its lines, and of what each coupon took off."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_DIFFERENT = """
SELECT coalesce(i.number, i.id), i.discount, l.discount, d.amount
FROM billing_invoice i
CROSS JOIN LATERAL (
    SELECT coalesce(sum(discount), 0) AS discount FROM billing_invoiceline WHERE invoice_id = i.id
) AS l
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS amount FROM billing_invoicediscount WHERE invoice_id = i.id
) AS d
WHERE i.organization_id = %s AND (i.discount <> l.discount OR i.discount <> d.amount)
ORDER BY 1
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENT, [organization_id])
        for invoice, discount, of_lines, of_coupons in cursor.fetchall():
            yield Violation(invoice, f"discount {discount}, its lines' {of_lines}, its coupons' {of_coupons}")
