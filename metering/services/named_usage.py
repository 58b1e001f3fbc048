"""Noting on which days events name a subscription, in the transaction that writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connection

from metering.decoding import LogRow

_NOTE = """
INSERT INTO metering_namedusage (organization_id, subject, subscription, day)
SELECT %s, n.subject, n.subscription, n.day
FROM unnest(%s::text[], %s::text[], %s::date[]) AS n (subject, subscription, day)
ON CONFLICT DO NOTHING
"""


def note_day(organization_id: int, subject: str | None, subscription: str, time: datetime) -> None:
    """Note the day of one event that names a subscription."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [organization_id, [subject or ""], [subscription], [time.astimezone(UTC).date()]])


def note_named(organization_id: int, rows: Sequence[LogRow]) -> None:
    """Note the days of those of `rows` that name a subscription, in one order, so that requests wait in a line."""
    named = sorted(
        {
            (row.event.subject or "", row.event.subscription, row.time.astimezone(UTC).date())
            for row in rows
            if row.event.subscription is not None
        }
    )
    if named:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [organization_id, *map(list, zip(*named, strict=True))])
