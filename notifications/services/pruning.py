"""The log of what was sent is kept for a while, and not for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

#: How long a delivery that has ended, its attempts and its event are kept; and a mail.
KEPT_DAYS, MAIL_KEPT_DAYS = 30, 365

_BATCH = 5000

_DELIVERIES = """
WITH old AS (
    SELECT id FROM notifications_webhookdelivery WHERE finished_at < %(before)s ORDER BY finished_at LIMIT %(batch)s
), attempts AS (
    DELETE FROM notifications_webhookattempt USING old WHERE delivery_id = old.id
)
DELETE FROM notifications_webhookdelivery USING old WHERE notifications_webhookdelivery.id = old.id
"""

_EVENTS = """
DELETE FROM notifications_webhookevent WHERE id IN (
    SELECT id FROM notifications_webhookevent AS event
    WHERE at < %(before)s AND is_distributed AND NOT EXISTS (
        SELECT FROM notifications_webhookdelivery WHERE event_id = event.id
    ) LIMIT %(batch)s
)
"""

_MAIL = """
DELETE FROM notifications_mail WHERE id IN (
    SELECT id FROM notifications_mail WHERE created_at < %(before)s AND status <> 'queued' LIMIT %(batch)s
)
"""


def prune(*, now: datetime) -> int:
    """Delete what is older than it is kept, in small transactions; answers how many rows of the lists that were."""
    webhooks, mail = now - timedelta(days=KEPT_DAYS), now - timedelta(days=MAIL_KEPT_DAYS)
    return sum(
        _delete(statement, before)
        for statement, before in ((_DELIVERIES, webhooks), (_EVENTS, webhooks), (_MAIL, mail))
    )


def _delete(statement: str, before: datetime) -> int:
    deleted, more = 0, True
    while more:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"before": before, "batch": _BATCH})
            deleted, more = deleted + cursor.rowcount, cursor.rowcount == _BATCH
    return deleted
