"""Credit note numbers run from 1 to the last one given, each once."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.invariants.violation import Violation

_DIFFERENCES = """
SELECT coalesce(given.number, found.number), found.number IS NOT NULL
FROM (
    SELECT 'CN-' || lpad(n::text, greatest(6, length(n::text)), '0') AS number
    FROM generate_series(1, (SELECT last FROM billing_creditnotecounter WHERE organization_id = %(organization)s)) n
) given
FULL JOIN (
    SELECT number FROM billing_creditnote WHERE organization_id = %(organization)s
) found ON found.number = given.number
WHERE given.number IS NULL OR found.number IS NULL
ORDER BY 1
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"organization": organization_id})
        for number, is_found in cursor.fetchall():
            yield Violation(number, "was never given" if is_found else "was given, and there is no credit note with it")
