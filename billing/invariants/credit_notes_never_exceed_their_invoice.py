"""Credit notes take back of no line more than it was billed, net and tax, and of no invoice more than its total; none
is of an invoice that is not owed."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_EXCEEDING = """
SELECT i.number, l.position + 1, sum(n.amount), l.amount - l.discount, sum(n.tax), l.tax
FROM billing_creditnoteline n
JOIN billing_creditnote c ON c.id = n.credit_note_id
JOIN billing_invoiceline l ON l.id = n.line_id
JOIN billing_invoice i ON i.id = l.invoice_id
WHERE c.organization_id = %s
GROUP BY i.id, l.id
HAVING abs(sum(n.amount)) > abs(l.amount - l.discount) OR sign(sum(n.amount)) * sign(l.amount - l.discount) < 0
    OR abs(sum(n.tax)) > abs(l.tax) OR bool_or(c.invoice_id <> i.id) OR i.status IN ('draft', 'void', 'skipped')
ORDER BY i.number, l.position
"""

_EXCEEDING_WHOLE = """
SELECT i.number, i.total, sum(c.total)
FROM billing_creditnote c JOIN billing_invoice i ON i.id = c.invoice_id
WHERE c.organization_id = %s
GROUP BY i.id HAVING sum(c.total) > i.total
ORDER BY i.number
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_EXCEEDING, [organization_id])
        for number, position, credited, net, credited_tax, tax in cursor.fetchall():
            yield Violation(
                f"{number} line {position}", f"credited {credited} and tax {credited_tax}, of {net} and tax {tax}"
            )
        cursor.execute(_EXCEEDING_WHOLE, [organization_id])
        for number, total, credited in cursor.fetchall():
            yield Violation(number, f"{credited} was credited of {total}")
