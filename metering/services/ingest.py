"""Writing to the log: durable, unique, and nothing else on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from psycopg.adapt import Dumper
from psycopg.errors import UniqueViolation
from psycopg.pq import Format

from metering.contracts import BatchRejected, CloudEvent, IngestResult, Rejection
from metering.decoding import LogRow, decode_body, decode_mappings, prepare
from metering.queries.meters import numeric_paths

LOG_COLUMNS = "identity, organization_id, source, event_id, type, subject, time, received_at, data, content_hash"
_TYPES = ["uuid", "int8", "text", "text", "text", "text", "timestamptz", "timestamptz", "jsonb", "uuid"]

_INSERT = f"""
INSERT INTO metering_usageevent ({LOG_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
ON CONFLICT (identity) DO NOTHING
"""  # noqa: S608


class JsonbBytes(Dumper):
    """JSON text, as bytes, in jsonb's binary form: a version byte before it."""

    oid, format = 3802, Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return b"\x01" + bytes(obj)


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
    """Write what is new and sort the rest into duplicates and conflicts; a few statements however many rows."""
    first: dict[UUID, LogRow] = {}
    again: list[LogRow] = []
    for row in rows:
        if first.setdefault(row.identity, row) is not row:
            again.append(row)
    before = _write_new(organization_id, first, received_at)
    result.accepted += len(first) - len(before)
    again += [first[identity] for identity in before]
    for row in again:
        stored = before.get(row.identity)
        if stored is None:
            stored = first[row.identity].content_hash
        if stored == row.content_hash:
            result.duplicates += 1
        else:
            result.rejected.append(
                Rejection(row.index, row.event.id, "id_conflict", "This source sent other content under this id before")
            )


def _write_new(organization_id: int, rows: dict[UUID, LogRow], received_at: datetime) -> dict[UUID, UUID]:
    """Write those of `rows` that the log does not have; answers the content hashes of those it had before."""
    if len(rows) == 1:
        return _write_one(organization_id, rows, received_at)
    while True:
        before = _content_hashes(list(rows))
        new = [row for identity, row in rows.items() if identity not in before]
        if not new:
            return before
        # COPY is the fastest way in and stops at a row that is there, so those were looked up. Should another
        # request bring one in meanwhile, the look-up is made again and finds one more each time. In order of
        # identity, so that requests with the same events wait for each other in a line.
        values = log_values(organization_id, sorted(new, key=_identity), received_at)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                copy_rows(cursor, values)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
        else:
            return before


def _write_one(organization_id: int, rows: dict[UUID, LogRow], received_at: datetime) -> dict[UUID, UUID]:
    [values] = log_values(organization_id, list(rows.values()), received_at)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [value.decode() if isinstance(value, bytes) else value for value in values])
        return {} if cursor.rowcount else _content_hashes(list(rows))


def copy_rows(cursor: Any, values: list[tuple[Any, ...]], *, table: str = "metering_usageevent") -> None:
    """Binary COPY of rows of `log_values`."""
    cursor.cursor.adapters.register_dumper(bytes, JsonbBytes)
    # A COPY goes past Django; its errors are to be Django's all the same.
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({LOG_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(_TYPES)
        for value in values:
            copy.write_row(value)


def _identity(row: LogRow) -> int:
    return row.identity.int


def log_values(organization_id: int, rows: Sequence[LogRow], received_at: datetime) -> list[tuple[Any, ...]]:
    """The values of `LOG_COLUMNS` for each row."""
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


def _content_hashes(identities: list[UUID]) -> dict[UUID, UUID]:
    """The content hashes of those of `identities` that the log has."""
    if not identities:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT identity, content_hash FROM metering_usageevent WHERE identity = ANY(%b)", [identities])
        return dict(cursor.fetchall())
