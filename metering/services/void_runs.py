"""Taking back all that one sender sent: planned in one transaction, worked in many small ones, safe to kill anywhere.

An event in the log gets a correction, one in quarantine is discarded.

Every batch locks the run's row, so that one worker is at it at a time; a correction per event is a constraint of the
database, so that nothing is taken back twice. Log and archives change hands while a run works: it ends only when one
snapshot shows nothing left in the log and no archive that it has not been through.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from psycopg import sql

from accounts.facade import acting, record_audit
from kernel.errors import ConflictError
from kernel.ids import new_id
from kernel.period import Period
from metering.archive.recall import LOG, RECALLED, archived_events, recalled_events
from metering.compiler import Fragment
from metering.models import LogArchive, VoidRun
from metering.notifications import announce
from metering.queries.sent_events import SentQuestion, sent_events, sent_selection

#: Events of the log that are taken back in one transaction.
BATCH = 5_000


class VoidRunActive(ConflictError):
    """Another run over the same sender's events is not finished."""

    code = "void_run_active"


_BATCH = """
WITH found AS MATERIALIZED (
    SELECT e.identity, e.organization_id, e.source, e.event_id, e.type, e.subject, e.time, e.data, e.received_at
    FROM {log} e
    WHERE e.organization_id = {organization} AND e.sent_by = {sent_by}
      AND e.received_at >= {start}::timestamptz AND e.received_at < {end}::timestamptz
      AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE c.event_id = e.identity)
    ORDER BY e.received_at LIMIT {limit}
), numbered AS (SELECT found.*, row_number() OVER () AS number FROM found
), written AS (
    INSERT INTO metering_eventcorrection
        (id, reason, created_at, event_id, organization_id, source, sent_id, type, subject, time, data)
    SELECT ({ids}::text[])[number], {reason}, {at}::timestamptz, identity, organization_id, source, event_id, type,
           subject, time, data
    FROM numbered ON CONFLICT (event_id) DO NOTHING RETURNING 1
)
SELECT (SELECT COUNT(*) FROM found), (SELECT COUNT(*) FROM written), (SELECT MAX(received_at) FROM found)
"""
_DISCARD = """
UPDATE metering_quarantinedevent
SET state = 'discarded', decided_at = %(at)s, decided_by = %(by)s, decision_reason = %(reason)s
WHERE id IN (
    SELECT id FROM metering_quarantinedevent
    WHERE organization_id = %(organization)s AND state = 'quarantined' AND sent_by = %(sent_by)s
      AND received_at >= %(start)s AND received_at < %(end)s
    ORDER BY id LIMIT %(limit)s FOR UPDATE)
"""
_LEFT = """
SELECT EXISTS (
    SELECT FROM metering_usageevent e
    WHERE e.organization_id = %(organization)s AND e.sent_by = %(sent_by)s
      AND e.received_at >= %(start)s AND e.received_at < %(end)s
      AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE c.event_id = e.identity)
) OR EXISTS (
    SELECT FROM metering_quarantinedevent q
    WHERE q.organization_id = %(organization)s AND q.state = 'quarantined' AND q.sent_by = %(sent_by)s
      AND q.received_at >= %(start)s AND q.received_at < %(end)s
), ARRAY(
    SELECT a.archive_id FROM metering_archivedorganization a JOIN metering_logarchive l ON l.id = a.archive_id
    WHERE a.organization_id = %(organization)s AND COALESCE((%(archives)s::jsonb ->> a.archive_id::text)::int, 0)
        < l.row_groups ORDER BY a.archive_id)
"""


def start_void_run(*, organization_id: int, sent_by: str, received: Period, reason: str, now: datetime) -> VoidRun:
    """Begin to take back what `sent_by` sent and the server received in `received`, as far as that has come by `now`.

    Asked again for the same, it answers the first run: the one under way, or the last one where nothing is left to
    take back. Raises `VoidRunActive` while one over another period is under way.
    """
    asked = {"organization_id": organization_id, "sent_by": sent_by, "start": received.start, "end": received.end}
    active = VoidRun.objects.filter(organization_id=organization_id, sent_by=sent_by, finished_at=None).first()
    if active is None:
        found = sent_events(SentQuestion(organization_id, sent_by, _until(received, now)))
        earlier = VoidRun.objects.filter(**asked).order_by("-id").first()
        if earlier is not None and found.events == found.voided:
            return earlier
        try:
            with transaction.atomic():
                run = VoidRun.objects.create(
                    **asked, reason=reason, created_by=acting(), created_at=now, events=found.events - found.voided
                )
                spell: dict[str, Any] = {"from": received.start, "to": received.end}
                record_audit(
                    organization_id=organization_id,
                    action="event.void_all",
                    target=sent_by,
                    **spell,
                    reason=reason,
                    run=run.pk,
                    events=run.events,
                )
            return run
        except IntegrityError:  # somebody else began it just now
            active = VoidRun.objects.filter(organization_id=organization_id, sent_by=sent_by).latest("id")
    if (active.start, active.end) != (received.start, received.end):
        raise VoidRunActive("A run over this sender's events is under way. Wait for its end and try again")
    return active


def work_void_run(*, run_id: str, now: datetime, batches: int | None = None) -> bool:
    """Take back what is left of a run, at most `batches` transactions of it; whether the run is finished.

    Where another process is at it, nothing is done. Raises `ArchiveUnavailable`.
    """
    while batches is None or batches > 0:
        with transaction.atomic():
            run = VoidRun.objects.select_for_update(skip_locked=True).filter(pk=run_id, finished_at=None).first()
            if run is None:
                break
            _advance(run, now)
            run.save(update_fields=["position", "voided", "archives", "finished_at"])
            transaction.on_commit(lambda: announce(run.organization_id), robust=True)  # noqa: B023 - at once
        batches = None if batches is None else batches - 1
    return VoidRun.objects.filter(pk=run_id).exclude(finished_at=None).exists()


def void_runs_of(organization_id: int) -> QuerySet[VoidRun]:
    """The organization's runs."""
    return VoidRun.objects.filter(organization_id=organization_id).order_by("id")


def void_runs_to_resume() -> list[str]:
    """Ids of runs that are not finished. Each is safe to hand out as often as one likes."""
    return list(VoidRun.objects.filter(finished_at=None).order_by("id").values_list("id", flat=True))


def _advance(run: VoidRun, now: datetime) -> None:
    """One transaction's work: a batch of the log or of what is in quarantine, else a row group of an archive, else the
    end."""
    found, written, last = _void(run, LOG, since=run.position or run.start, limit=BATCH, now=now)
    run.voided += written
    if found:
        run.position = last
        return
    if discarded := _discard(run, now):
        run.voided += discarded
        return
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {
            "organization": run.organization_id,
            "sent_by": run.sent_by,
            "archives": json.dumps(run.archives),
        }
        cursor.execute(_LEFT, asked | {"start": run.start, "end": _received(run).end})
        is_left, archives = cursor.fetchone()
    if is_left:  # what came back from an archive or out of quarantine, or was received before what was there already
        run.position = None
    elif archives:
        _advance_archive(run, archives[0], now)
    else:
        run.finished_at = now


def _advance_archive(run: VoidRun, archive_id: int, now: datetime) -> None:
    """Take back what the next row group of an archive has of the sender."""
    archive = LogArchive.objects.filter(pk=archive_id).first()
    if archive is None:  # attached meanwhile
        return
    selection = sent_selection(SentQuestion(run.organization_id, run.sent_by, _received(run)))
    first = run.archives.get(str(archive_id), 0)
    number, table = next(archived_events(archive, selection, first_group=first), (archive.row_groups, None))
    if table is not None:
        with recalled_events() as write:
            write(table)
        _, written, _ = _void(run, RECALLED, since=run.start, limit=len(table), now=now)
        run.voided += written
    run.archives[str(archive_id)] = min(number + 1, archive.row_groups)


def _void(
    run: VoidRun, log: Fragment, *, since: datetime, limit: int, now: datetime
) -> tuple[int, int, datetime | None]:
    """Write corrections for `limit` events; how many there were, how many of them are new, and the last's receipt."""
    statement = sql.SQL(_BATCH).format(
        log=log,
        organization=run.organization_id,
        sent_by=sql.Literal(run.sent_by),
        start=sql.Literal(since),
        end=sql.Literal(_received(run).end),
        limit=limit,
        ids=sql.Literal([new_id("cor") for _ in range(limit)]),
        reason=sql.Literal(run.reason),
        at=sql.Literal(now),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        found, written, last = cursor.fetchone()
    return found, written, last


def _discard(run: VoidRun, now: datetime) -> int:
    """Discard a batch of what waits in quarantine; how many events."""
    values: dict[str, Any] = {
        "organization": run.organization_id,
        "sent_by": run.sent_by,
        "start": run.start,
        "end": _received(run).end,
        "at": now,
        "by": run.created_by,
        "reason": run.reason,
        "limit": BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DISCARD, values)
        return int(cursor.rowcount)


def _received(run: VoidRun) -> Period:
    return _until(Period(run.start, run.end), run.created_at)


def _until(received: Period, now: datetime) -> Period:
    """The part of a period that has passed."""
    return Period(received.start, max(min(received.end, now), received.start + timedelta(microseconds=1)))
