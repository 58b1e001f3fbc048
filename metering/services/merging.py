"""Events of a merged customer made events of the customer it was merged into.

The log never changes, so each event is taken back and put in again under the other subject, in one transaction: every
projection, budget and late bill sees it as it sees any amendment. What arrives later under the old subject is kept
under the new one at once (`metering.services.protection`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from kernel.ids import new_id
from kernel.period import Period
from metering.decoding import event_identity
from metering.models import SubjectAlias
from metering.notifications import announcing
from metering.services.protection import forget_protection

_AT_ONCE = 5_000

_UNCOVERED = """AND NOT EXISTS (
    SELECT FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS part (s, e)
    WHERE event.time >= part.s AND event.time < part.e
)"""

_COUNT = f"""
SELECT COUNT(*), MIN(event.time), MAX(event.time) FROM metering_usageevent event
WHERE event.organization_id = %(organization)s AND event.subject = %(subject)s {_UNCOVERED}
  AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE c.event_id = event.identity)
"""  # noqa: S608

_SOME = f"""
SELECT event.identity, event.time, event.source, event.event_id FROM metering_usageevent event
WHERE event.organization_id = %(organization)s AND event.subject = %(subject)s {_UNCOVERED}
  AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE c.event_id = event.identity)
ORDER BY event.time, event.identity LIMIT %(most)s
"""  # noqa: S608

# Identity first, as every writer of the log does it; one that is there already is left as it is.
_MOVE = """
WITH moved AS (
    SELECT * FROM unnest(%(before)s::uuid[], %(times)s::timestamptz[], %(after)s::uuid[], %(ids)s::text[],
                         %(corrections)s::text[]) AS m (before, time, after, event_id, correction)
), written AS (
    INSERT INTO metering_eventidentity (identity, content_hash, time)
    SELECT m.after, i.content_hash, m.time FROM moved m JOIN metering_eventidentity i ON i.identity = m.before
    ON CONFLICT (identity) DO NOTHING RETURNING identity
), events AS (
    INSERT INTO metering_usageevent
        (identity, organization_id, source, event_id, type, subject, time, received_at, data, sent_by,
         subscription)
    SELECT m.after, e.organization_id, e.source, m.event_id, e.type, %(target)s, e.time, %(now)s, e.data, e.sent_by,
           e.subscription
    FROM moved m JOIN written w ON w.identity = m.after
    JOIN metering_usageevent e ON e.organization_id = %(organization)s AND e.time = m.time AND e.identity = m.before
)
INSERT INTO metering_eventcorrection
    (id, reason, created_at, event_id, organization_id, source, sent_id, type, subject, time, data)
SELECT m.correction, %(reason)s, %(now)s, e.identity, e.organization_id, e.source, e.event_id, e.type, e.subject,
       e.time, e.data
FROM moved m
JOIN metering_usageevent e ON e.organization_id = %(organization)s AND e.time = m.time AND e.identity = m.before
ON CONFLICT (event_id) DO NOTHING
"""


_NAMED = """
INSERT INTO metering_namedusage (organization_id, subject, subscription, day)
SELECT organization_id, %(target)s, subscription, day FROM metering_namedusage
WHERE organization_id = %(organization)s AND subject = %(subject)s ORDER BY subscription, day
ON CONFLICT DO NOTHING
"""


def uncovered_events(
    *, organization_id: int, subject: str, covered: Sequence[Period]
) -> tuple[int, datetime | None, datetime | None]:
    """How many events of `subject` outside of the periods `covered` would move, and the times of the first and last.

    Events in archives are not among them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, _values(organization_id, subject, covered))
        count, first, last = cursor.fetchone()
    return count, first, last


@announcing
def merge_subject(*, organization_id: int, subject: str, target: str, covered: Sequence[Period], now: datetime) -> int:
    """Let events of `subject` count for `target`: those in the log outside of the periods `covered`, and all that come
    from now on. Returns how many were moved. In the caller's transaction; safe to repeat."""
    with transaction.atomic():
        SubjectAlias.objects.get_or_create(
            organization_id=organization_id, subject=subject, defaults={"target": target, "created_at": now}
        )
        # What was merged into the subject before follows it.
        SubjectAlias.objects.filter(organization_id=organization_id, target=subject).update(
            target=target, settled_at=None
        )
        moved = move_events(organization_id=organization_id, subject=subject, target=target, covered=covered, now=now)
    forget_protection(organization_id)
    transaction.on_commit(partial(forget_protection, organization_id))
    return moved


def move_events(*, organization_id: int, subject: str, target: str, covered: Sequence[Period], now: datetime) -> int:
    """Take back the events of `subject` outside of `covered` and put them in again under `target`."""
    moved = 0
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, {"organization": organization_id, "subject": subject, "target": target})
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_SOME, _values(organization_id, subject, covered) | {"most": _AT_ONCE})
            rows = cursor.fetchall()
            if not rows:
                return moved
            cursor.execute(_MOVE, _moves(organization_id, rows) | {
                "organization": organization_id, "target": target, "now": now,
                "reason": f"merged into {target}",
            })  # fmt: skip
        moved += len(rows)


def _values(organization_id: int, subject: str, covered: Sequence[Period]) -> dict[str, Any]:
    return {
        "organization": organization_id,
        "subject": subject,
        "starts": [one.start for one in covered],
        "ends": [one.end for one in covered],
    }


def _moves(organization_id: int, rows: Sequence[tuple[UUID, datetime, str, str]]) -> dict[str, list[Any]]:
    """Each event with the identity of what takes its place: its own id with a mark."""
    ids = [f"{event_id[:970]}#merged-{identity}" for identity, _, _, event_id in rows]
    return {
        "before": [row[0] for row in rows],
        "times": [row[1] for row in rows],
        "after": [event_identity(organization_id, row[2], new) for row, new in zip(rows, ids, strict=True)],
        "ids": ids,
        "corrections": [new_id("cor") for _ in rows],
    }


def unsettled_aliases() -> list[SubjectAlias]:
    """Aliases that a request under way when they were made may not have known."""
    return list(SubjectAlias.objects.filter(settled_at=None).order_by("id")[:1000])


def all_know(alias: SubjectAlias, *, now: datetime) -> bool:
    """Report if every process reads the alias by now, and every transaction that did not has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())")
        oldest = int(cursor.fetchone()[0])
    return oldest > int(alias.xid) and (now - alias.created_at).total_seconds() > 5
