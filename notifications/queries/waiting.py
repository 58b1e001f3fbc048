"""Whether there is anything to send: the question of every second, so it is a cheap one."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

_WEBHOOKS = """
SELECT EXISTS (SELECT FROM notifications_webhookevent WHERE NOT is_distributed)
    OR EXISTS (
        SELECT FROM notifications_webhookendpoint AS endpoint CROSS JOIN LATERAL (
            SELECT FROM notifications_webhookdelivery
            WHERE endpoint_id = endpoint.id AND status = 'due' AND next_attempt_at <= %s
                AND (leased_until IS NULL OR leased_until < %s)
            ORDER BY next_attempt_at LIMIT 1
        ) AS due WHERE endpoint.enabled
    )
"""

_MAIL = """
SELECT EXISTS (
    SELECT FROM notifications_mail
    WHERE status = 'queued' AND next_attempt_at <= %s AND (leased_until IS NULL OR leased_until < %s)
)
"""


def webhooks_are_waiting(*, now: datetime) -> bool:
    return _ask(_WEBHOOKS, now)


def mail_is_waiting(*, now: datetime) -> bool:
    return _ask(_MAIL, now)


def _ask(statement: str, now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [now, now])
        return bool(cursor.fetchone()[0])
