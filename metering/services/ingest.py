"""Writing to the log: durable, unique, and nothing else on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from metering.contracts import BatchRejected, CloudEvent, IngestResult, Rejection
from metering.decoding import LogRow, decode_body, decode_mappings, prepare
from metering.notifications import announcing
from metering.queries.meters import numeric_paths
from metering.services.log_format import COLUMNS, IDENTITY_COLUMNS, copy_events, copy_identities
from metering.services.partitions import make_partitions
from rest.statements import run

_INSERT = f"""
WITH new AS (
    INSERT INTO metering_eventidentity ({IDENTITY_COLUMNS}) VALUES (%s, %s, %s)
    ON CONFLICT (identity) DO NOTHING RETURNING identity, time
)
INSERT INTO metering_usageevent (identity, time, organization_id, source, event_id, type, subject, received_at, data)
SELECT identity, time, %s::bigint, %s, %s, %s, %s, %s::timestamptz, %s::jsonb FROM new
"""  # noqa: S608
_COPY_IDENTITIES = f"COPY metering_eventidentity ({IDENTITY_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_COPY_EVENTS = f"COPY metering_usageevent ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
_CONTENT_HASHES = """
SELECT uuid_send(identity), uuid_send(content_hash) FROM metering_eventidentity WHERE identity = ANY(%s::uuid[])
"""


@announcing
def ingest(
    *,
    organization_id: int,
    events: Sequence[Mapping[str, Any] | CloudEvent],
    received_at: datetime,
    strict: bool = False,
    only_customer: str | None = None,
) -> IngestResult:
    """Write CloudEvents to the log; when this returns, the accepted ones are committed and count.

    Every event ends as accepted, duplicate (same identity and content) or rejected (with a code;
    `id_conflict` is the same identity with other content). With `strict`, one rejection raises
    `BatchRejected` and nothing is stored. With `only_customer`, events with another subject are rejected
    (`customer_not_allowed`). At most 10,000 events.
    """
    return _write(organization_id, *decode_mappings(events), received_at, strict, only_customer)


@announcing
def ingest_body(
    *, organization_id: int, body: bytes, received_at: datetime, strict: bool = False, only_customer: str | None = None
) -> IngestResult:
    """The same for a JSON body with one event or an array; raises as `decode_body` does."""
    return _write(organization_id, *decode_body(body), received_at, strict, only_customer)


def _write(
    organization_id: int,
    events: list[tuple[int, CloudEvent]],
    unreadable: list[Rejection],
    received_at: datetime,
    strict: bool,
    only_customer: str | None,
) -> IngestResult:
    if only_customer is not None:
        events, others = _of_customer(events, only_customer)
        unreadable = [*unreadable, *others]
    rows, refused = prepare(
        organization_id=organization_id,
        events=events,
        received_at=received_at,
        numeric=numeric_paths(organization_id) if events else (),
    )
    refused += unreadable
    if strict and refused:
        raise BatchRejected(_result(rows=[], before={}, refused=refused))
    make_partitions([row.time for row in rows], now=received_at)
    if len(rows) == 1:
        result = _result(rows=rows, before=_insert(organization_id, rows[0], received_at), refused=refused)
        if strict and result.rejected:
            raise BatchRejected(result)
        return result
    while rows:
        before = _content_hashes(row.identity for row in rows)
        result = _result(rows=rows, before=before, refused=refused)
        if strict and result.rejected:
            raise BatchRejected(result)
        if not result.accepted or _copy(organization_id, rows, before, received_at):
            return result
    return _result(rows=[], before={}, refused=refused)


def _of_customer(
    events: list[tuple[int, CloudEvent]], customer: str
) -> tuple[list[tuple[int, CloudEvent]], list[Rejection]]:
    """The events of one customer, and refusals of all others."""
    own = [(index, event) for index, event in events if event.subject == customer]
    detail = f"This API key may only send events whose subject is {customer!r}"
    others = [
        Rejection(index, event.id, "customer_not_allowed", detail)
        for index, event in events
        if event.subject != customer
    ]
    return own, others


def _result(*, rows: list[LogRow], before: Mapping[bytes, bytes], refused: list[Rejection]) -> IngestResult:
    """What becomes of `rows`, where the log has the identities and content hashes `before` already."""
    result = IngestResult(rejected=list(refused))
    known = dict(before)
    for row in rows:
        content_hash = known.setdefault(row.identity, row.content_hash)
        if content_hash is row.content_hash:  # the very object: nobody had it before
            result.accepted += 1
        elif content_hash == row.content_hash:
            result.duplicates += 1
        else:
            detail = "This source sent other content under this id before"
            result.rejected.append(Rejection(row.index, row.event.id, "id_conflict", detail))
    result.rejected.sort(key=_index)
    return result


def _index(rejection: Rejection) -> int:
    return rejection.index


def _insert(organization_id: int, row: LogRow, received_at: datetime) -> dict[bytes, bytes]:
    """Write `row` unless the log has it, by a statement of its own; answers the content hash of what it had before."""
    event = row.event
    values = [row.identity.hex(), row.content_hash.hex(), row.time]
    values += [organization_id, event.source, event.id, event.type, event.subject, received_at, row.data.decode()]
    return {} if run(_INSERT, values).rowcount else _content_hashes([row.identity])


def _copy(organization_id: int, rows: list[LogRow], before: Mapping[bytes, bytes], received_at: datetime) -> bool:
    """Write those of `rows` that are not in the log; whether nobody else brought one of them in since `before`.

    COPY is the fastest way in and stops at an identity that is there, so those were looked up. Should another
    request bring one in meanwhile, the look-up is made again and finds one more each time. In order of
    identity, so that requests with the same events wait for each other in a line.
    """
    new: dict[bytes, LogRow] = {}
    for row in rows:
        if row.identity not in before:
            new.setdefault(row.identity, row)
    ordered = [new[identity] for identity in sorted(new)]
    try:
        # A COPY goes past Django; its errors are to be Django's all the same.
        with transaction.atomic(), connection.cursor() as cursor, connection.wrap_database_errors:
            with cursor.copy(_COPY_IDENTITIES) as copy:
                for piece in copy_identities(ordered):
                    copy.write(piece)
            with cursor.copy(_COPY_EVENTS) as copy:
                for piece in copy_events(organization_id, list(new.values()), received_at):
                    copy.write(piece)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        return False
    return True


def _content_hashes(identities: Iterable[bytes]) -> dict[bytes, bytes]:
    """The content hashes of those of `identities` that the log has."""
    wanted = "{" + ",".join(map(bytes.hex, identities)) + "}"
    # Planned each time: a plan made while the log was small would read all of it once it is large.
    return dict(run(_CONTENT_HASHES, [wanted], prepare=False, binary=True).fetchall())
