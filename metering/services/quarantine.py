"""Events that cannot be right: kept in quarantine by ingest, and released or discarded by people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from msgspec.structs import replace

from kernel.ids import new_id
from metering.decoding import LogRow
from metering.directory import test_clocks
from metering.domain.faults import KEPT_FROM_SENT_ONCE, TimeWindow

_KEEP = """
INSERT INTO metering_quarantinedevent (id, organization_id, identity, source, event_id, type, subject, subscription,
    time, received_at, data, sent_by, reason, detail, state, decided_by)
VALUES (%s, %s, %s::uuid, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, 'quarantined', '')
"""


def judged(
    organization_id: int, rows: list[LogRow], *, now: datetime, backfill: bool, sent_once: bool, strict: bool
) -> list[LogRow]:
    """`rows` with the faults of their times, and whether each faulty one is kept; `ingest` has the rules.

    Test clocks are asked for only where a time lies outside the server's own window.
    """
    window = TimeWindow(
        now,
        now,
        None if backfill else timedelta(days=settings.EVENT_LOOK_BACK_DAYS),
        timedelta(seconds=settings.EVENT_LOOK_AHEAD_SECONDS),
    )
    times = {
        place: fault
        for place, row in enumerate(rows)
        if row.fault is None and (fault := window.fault_of(row.time)) is not None
    }
    if times:
        clocks = test_clocks(organization_id, {subject for one in times if (subject := rows[one].event.subject)})
        for place, row in [(place, rows[place]) for place in times]:
            clock = clocks.get(row.event.subject or "")
            fault = times[place] if clock is None else window.with_clock(clock).fault_of(row.time)
            if fault is not None:
                rows[place] = replace(row, fault=fault, is_kept=not strict)
    if sent_once and not strict:
        return [
            replace(row, is_kept=True) if row.fault and row.fault.code in KEPT_FROM_SENT_ONCE else row for row in rows
        ]
    return rows


def keep(organization_id: int, rows: Sequence[LogRow], received_at: datetime, sent_by: str) -> None:
    """Put `rows`, each with a fault, in quarantine, in the transaction that writes their identities."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            _KEEP,
            [
                (
                    new_id("qev"),
                    organization_id,
                    row.identity.hex(),
                    row.event.source,
                    row.event.id,
                    row.event.type,
                    row.event.subject,
                    row.event.subscription,
                    row.time,
                    received_at,
                    row.data.decode(),
                    sent_by,
                    row.fault.code,
                    row.fault.detail,
                )
                for row in rows
                if row.fault is not None
            ],
        )
