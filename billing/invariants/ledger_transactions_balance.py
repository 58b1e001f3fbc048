"""The entries of every ledger transaction, two at least, sum to zero."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_UNBALANCED = """
SELECT t.id, t.source, count(e.id), coalesce(sum(e.amount), 0)
FROM billing_ledgertransaction t LEFT JOIN billing_ledgerentry e ON e.transaction_id = t.id
WHERE t.organization_id = %s
GROUP BY t.id HAVING count(e.id) < 2 OR sum(e.amount) <> 0 ORDER BY t.id
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_UNBALANCED, [organization_id])
        for transaction, source, entries, balance in cursor.fetchall():
            yield Violation(transaction, f"{source} has {entries} entries that sum to {balance}")
