"""Writing to the log: durable, unique, and nothing else on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from metering.contracts import BatchRejected, CloudEvent, IngestResult, Rejection
from metering.decoding import LogRow, decode_body, decode_mappings, prepare
from metering.queries.meters import numeric_paths

LOG_COLUMNS = "identity, organization_id, source, event_id, type, subject, time, received_at, data, content_hash"
_STAGE_TYPES = ["uuid", "int8", "text", "text", "text", "text", "timestamptz", "timestamptz", "text", "uuid"]

_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS metering_stage (
    identity uuid, organization_id bigint, source text, event_id text, type text, subject text,
    time timestamptz, received_at timestamptz, data text, content_hash uuid
) ON COMMIT DELETE ROWS
"""

# Sorted, so that two batches with the same events wait for each other instead of locking each other out.
_MERGE = f"""
INSERT INTO metering_usageevent ({LOG_COLUMNS})
SELECT identity, organization_id, source, event_id, type, subject, time, received_at, data::jsonb, content_hash
FROM metering_stage ORDER BY identity
ON CONFLICT (identity) DO NOTHING
RETURNING identity
"""  # noqa: S608

_INSERT = f"""
INSERT INTO metering_usageevent ({LOG_COLUMNS})
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
ON CONFLICT (identity) DO NOTHING
RETURNING identity
"""  # noqa: S608


def ingest(
    *,
    organization_id: int,
    events: Sequence[Mapping[str, Any] | CloudEvent],
    received_at: datetime,
    strict: bool = False,
) -> IngestResult:
    """Write CloudEvents to the log; when this returns, the accepted ones are committed and count.

    Every event ends as accepted, duplicate (same identity and content) or rejected (with a code;
    `id_conflict` is the same identity with other content). With `strict`, one rejection raises
    `BatchRejected` and nothing is stored. At most 10,000 events.
    """
    return _write(organization_id, *decode_mappings(events), received_at, strict)


def ingest_body(*, organization_id: int, body: bytes, received_at: datetime, strict: bool = False) -> IngestResult:
    """The same for a JSON body with one event or an array; raises as `decode_body` does."""
    return _write(organization_id, *decode_body(body), received_at, strict)


def _write(
    organization_id: int,
    events: list[tuple[int, CloudEvent]],
    unreadable: list[Rejection],
    received_at: datetime,
    strict: bool,
) -> IngestResult:
    rows, refused = prepare(
        organization_id=organization_id,
        events=events,
        received_at=received_at,
        numeric=numeric_paths(organization_id) if events else (),
    )
    result = IngestResult(rejected=unreadable + refused)
    if strict and result.rejected:
        raise BatchRejected(result)
    with transaction.atomic():
        _store(organization_id, rows, received_at, result)
        result.rejected.sort(key=lambda rejection: rejection.index)
        if strict and result.rejected:
            raise BatchRejected(result)
    return result


def _store(organization_id: int, rows: list[LogRow], received_at: datetime, result: IngestResult) -> None:
    """Insert what is new and sort the rest into duplicates and conflicts, in three statements however many."""
    first: dict[UUID, LogRow] = {}
    again: list[LogRow] = []
    for row in rows:
        if first.setdefault(row.identity, row) is not row:
            again.append(row)
    inserted = _insert(organization_id, list(first.values()), received_at)
    result.accepted += len(inserted)
    known = {identity: row.content_hash for identity, row in first.items() if identity in inserted}
    again += [row for identity, row in first.items() if identity not in inserted]
    missing = [row.identity for row in again if row.identity not in known]
    if missing:
        known |= _stored_hashes(missing)
    for row in again:
        if known[row.identity] == row.content_hash:
            result.duplicates += 1
        else:
            result.rejected.append(
                Rejection(row.index, row.event.id, "id_conflict", "This source sent other content under this id before")
            )


def log_values(organization_id: int, rows: Sequence[LogRow], received_at: datetime) -> list[tuple[Any, ...]]:
    """The values of `LOGLOG_COLUMNS` for each row."""
    return [
        (
            row.identity,
            organization_id,
            row.event.source,
            row.event.id,
            row.event.type,
            row.event.subject,
            row.time,
            received_at,
            row.data,
            row.content_hash,
        )
        for row in rows
    ]


def _insert(organization_id: int, rows: list[LogRow], received_at: datetime) -> set[UUID]:
    values = log_values(organization_id, rows, received_at)
    if not values:
        return set()
    with connection.cursor() as cursor:
        if len(values) == 1:
            cursor.execute(_INSERT, values[0])
        else:
            cursor.execute(_STAGE)
            # Empty already, unless an earlier batch of this very transaction went through it.
            cursor.execute("DELETE FROM metering_stage")
            with cursor.copy(f"COPY metering_stage ({LOG_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(_STAGE_TYPES)
                for value in values:
                    copy.write_row(value)
            cursor.execute(_MERGE)
        return {identity for (identity,) in cursor.fetchall()}


def _stored_hashes(identities: list[UUID]) -> dict[UUID, UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT identity, content_hash FROM metering_usageevent WHERE identity = ANY(%s)", [identities])
        return dict(cursor.fetchall())
