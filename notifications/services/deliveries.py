"""Deliveries are taken, attempted elsewhere, and what came of it is written down."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifications.domain.retries import next_delay, retry_after
from notifications.models import DeliveryStatus, WebhookAttempt, WebhookEndpoint
from notifications.sending.requests import Answer
from notifications.services.disabling import disable_failing
from notifications.services.order import order_held, promote

#: A delivery that was taken and not heard of again is free after this; longer than any attempt takes.
LEASE = timedelta(seconds=60)

_CLAIM = """
WITH free AS MATERIALIZED (
    SELECT due.id
    FROM notifications_webhookendpoint AS endpoint
    LEFT JOIN unnest(%(busy)s::text[], %(counts)s::int[]) AS busy (endpoint_id, sent) ON busy.endpoint_id = endpoint.id
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_webhookdelivery
        WHERE endpoint_id = endpoint.id AND status = 'due' AND next_attempt_at <= %(now)s
            AND (leased_until IS NULL OR leased_until < %(now)s)
        ORDER BY next_attempt_at LIMIT greatest(%(each)s - coalesce(busy.sent, 0), 0)
        FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE endpoint.enabled
    LIMIT %(all)s
), taken AS (
    UPDATE notifications_webhookdelivery AS delivery SET leased_until = %(until)s
    FROM free WHERE delivery.id = free.id
    RETURNING delivery.id, delivery.endpoint_id, delivery.event_id, delivery.subject, delivery.attempts
)
SELECT taken.id, taken.endpoint_id, taken.subject, taken.attempts, endpoint.url, endpoint.secret,
    CASE WHEN endpoint.previous_secret_until > %(now)s THEN endpoint.previous_secret ELSE '' END,
    event.public_id, event.body
FROM taken
JOIN notifications_webhookendpoint AS endpoint ON endpoint.id = taken.endpoint_id
JOIN notifications_webhookevent AS event ON event.id = taken.event_id
"""

#: One that was replayed or disabled meanwhile has another lease, or an end that only an arrival changes.
_RECORD = """
UPDATE notifications_webhookdelivery AS delivery
SET status = v.status, attempts = v.attempts, next_attempt_at = v.next_attempt_at, leased_until = NULL,
    last_status_code = v.status_code, last_error = v.error, finished_at = v.finished_at
FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::text[], %s::smallint[], %s::timestamptz[], %s::smallint[], %s::text[],
    %s::timestamptz[]
) AS v (id, lease, status, attempts, next_attempt_at, status_code, error, finished_at)
WHERE delivery.id = v.id AND delivery.leased_until = v.lease AND (delivery.status = 'due' OR v.status = 'delivered')
"""

_HEALTHY = """
UPDATE notifications_webhookendpoint SET failing_since = NULL, last_delivered_at = %s WHERE id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this sender's until `leased_until`. `keys` (sealed) sign it; `attempts` failed before."""

    id: int
    endpoint_id: str
    subject: str
    attempts: int
    url: str
    keys: tuple[str, ...]
    message_id: str
    body: str
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt that began `at` went."""

    claimed: Claimed
    answer: Answer
    at: datetime


def claim_deliveries(*, now: datetime, most: int, most_each: int, busy: Mapping[str, int]) -> list[Claimed]:
    """Take up to `most` deliveries that are due, of one endpoint no more than `most_each` with the `busy` ones."""
    until = now + LEASE
    values: dict[str, Any] = {"now": now, "until": until, "all": most, "each": most_each}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {**values, "busy": list(busy), "counts": list(busy.values())})
        return [
            Claimed(id, endpoint, subject, attempts, url, tuple(filter(None, keys)), message, body, until)
            for id, endpoint, subject, attempts, url, *keys, message, body in cursor.fetchall()
        ]


def record_outcomes(outcomes: Sequence[Outcome], *, schedule: Sequence[int], now: datetime) -> None:
    """Write down how attempts went: delivered, to be tried again, or given up; and what that says about endpoints."""
    if not outcomes:
        return
    rows = [_row(one, schedule, now) for one in outcomes]
    ended = [
        (one.claimed.endpoint_id, one.claimed.subject)
        for one, row in zip(outcomes, rows, strict=True)
        if row[2] != DeliveryStatus.DUE
    ]
    with order_held():
        with connection.cursor() as cursor:
            cursor.execute(_RECORD, [list(column) for column in zip(*rows, strict=True)])
        WebhookAttempt.objects.bulk_create(_attempt(one) for one in outcomes)
        promote(ended, now=now)
        _note_health(outcomes, now)


def _row(one: Outcome, schedule: Sequence[int], now: datetime) -> tuple[object, ...]:
    claimed, answer = one.claimed, one.answer
    attempts = claimed.attempts + 1
    if answer.is_success:
        status, again = DeliveryStatus.DELIVERED, None
    else:
        asked_for = retry_after(answer.retry_after, now=now)
        chance = random.random()  # noqa: S311 - nothing secret
        delay = next_delay(failed=attempts, schedule=schedule, chance=chance, asked_for=asked_for)
        status, again = (DeliveryStatus.FAILED, None) if delay is None else (DeliveryStatus.DUE, now + delay)
    finished = None if status == DeliveryStatus.DUE else now
    lease = claimed.leased_until
    return claimed.id, lease, str(status), attempts, again, answer.status, _reason(answer), finished


def _reason(answer: Answer) -> str:
    return "" if answer.is_success else answer.error or f"status_{answer.status}"


def _attempt(one: Outcome) -> WebhookAttempt:
    return WebhookAttempt(
        delivery_id=one.claimed.id,
        at=one.at,
        duration_ms=one.answer.duration_ms,
        status_code=one.answer.status,
        error=one.answer.error,
        response=one.answer.response,
    )


def _note_health(outcomes: Sequence[Outcome], now: datetime) -> None:
    """An endpoint at which one of these arrived is well; one that says 410 is gone; the others may be failing."""
    well = {one.claimed.endpoint_id for one in outcomes if one.answer.is_success}
    gone = {one.claimed.endpoint_id for one in outcomes if one.answer.status == 410}
    failed = {one.claimed.endpoint_id for one in outcomes} - well - gone
    if well:
        with connection.cursor() as cursor:
            cursor.execute(_HEALTHY, [now, sorted(well)])
    if failed:
        WebhookEndpoint.objects.filter(pk__in=failed, failing_since=None).update(failing_since=now)
    disable_failing(endpoint_ids=failed, gone=gone, now=now)
