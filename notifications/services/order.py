"""Who comes next: of an endpoint and a subject one delivery is due, and those behind it wait.

Whatever makes deliveries, ends them or takes them up again does so under one lock, in a short transaction of its own.
So no two of them can each take the other for what comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction

_LOCK = 0x7765_6268_6F6F_6B73  # "webhooks"

#: The first of the open deliveries of each pair, unless one is due already.
_PROMOTE = """
UPDATE notifications_webhookdelivery AS delivery SET status = 'due', next_attempt_at = %s
FROM unnest(%s::text[], %s::text[]) AS pair (endpoint_id, subject)
CROSS JOIN LATERAL (
    SELECT id FROM notifications_webhookdelivery AS open
    WHERE open.endpoint_id = pair.endpoint_id AND open.subject = pair.subject AND open.status IN ('waiting', 'due')
    ORDER BY id LIMIT 1
) AS head
WHERE delivery.id = head.id AND delivery.status = 'waiting' AND NOT EXISTS (
    SELECT FROM notifications_webhookdelivery AS due
    WHERE due.endpoint_id = pair.endpoint_id AND due.subject = pair.subject AND due.status = 'due'
)
"""


@contextmanager
def order_held() -> Iterator[None]:
    """A transaction in which nobody else changes who comes next."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def promote(pairs: Iterable[tuple[str, str]], *, now: datetime) -> None:
    """Let the next delivery of each (endpoint id, subject) be due, where none is. To be called in `order_held`."""
    found = sorted(set(pairs))
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(_PROMOTE, [now, [one[0] for one in found], [one[1] for one in found]])
