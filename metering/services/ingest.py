"""Writing to the log: durable, unique, and nothing else on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from accounts.facade import sender
from metering.contracts import BatchRejected, CloudEvent, IngestResult, Quarantined, Rejection
from metering.decoding import LogRow, decode_body, decode_mappings, prepare
from metering.notifications import announcing
from metering.queries.meters import numeric_paths
from metering.services.log_format import COLUMNS, IDENTITY_COLUMNS, copy_events, copy_identities
from metering.services.named_usage import note_named
from metering.services.notices import with_notices
from metering.services.partitions import make_partitions
from metering.services.protection import protected
from metering.services.quarantine import judged, keep
from rest.statements import run

_INSERT = f"""
WITH new AS (
    INSERT INTO metering_eventidentity ({IDENTITY_COLUMNS}) VALUES (%s, %s, %s)
    ON CONFLICT (identity) DO NOTHING RETURNING identity, time
)
INSERT INTO metering_usageevent (identity, time, organization_id, source, event_id, type, subject, received_at, data,
    sent_by, subscription)
SELECT identity, time, %s::bigint, %s, %s, %s, %s, %s::timestamptz, %s::jsonb, %s, %s FROM new
"""  # noqa: S608
_COPY_IDENTITIES = f"COPY metering_eventidentity ({IDENTITY_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_COPY_EVENTS = f"COPY metering_usageevent ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
_CONTENT_HASHES = """
SELECT uuid_send(identity), uuid_send(content_hash) FROM metering_eventidentity WHERE identity = ANY(%s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Sending:
    """How a request's events are to be taken; `ingest` says what each of these is."""

    received_at: datetime
    sent_by: str
    strict: bool = False
    only_customer: str | None = None
    backfill: bool = False
    sent_once: bool = False


@announcing
def ingest(
    *,
    organization_id: int,
    events: Sequence[Mapping[str, Any] | CloudEvent],
    received_at: datetime,
    strict: bool = False,
    only_customer: str | None = None,
    sent_by: str | None = None,
    backfill: bool = False,
    sent_once: bool = False,
) -> IngestResult:
    """Write CloudEvents to the log; when this returns, the accepted ones are committed and count.

    Every event ends as accepted, duplicate (same identity and content), rejected (with a code; `id_conflict` is the
    same identity with other content) or quarantined: kept, and counted nowhere until it is released. Identity is looked
    up first, so what was taken once is a duplicate whatever has changed since. In quarantine goes a time that lies more
    than a year back, unless this is a `backfill` of older history, or more than an hour ahead, of the server or the
    customer's test clock. An unknown outcome and a subject that can never be a customer's key are rejected; from a
    sender that sends each event once and reads no answers (`sent_once`) the latter is quarantined.

    With `strict`, one event that would be rejected or quarantined raises `BatchRejected` and nothing is stored. With
    `only_customer`, events with another subject are rejected (`customer_not_allowed`). At most 10,000 events. `sent_by`
    names the sender that the log keeps beside each event (`accounts.facade.sender`): the acting key, member or the
    system, unless the caller knows better.
    """
    how = Sending(received_at, sent_by or sender(), strict, only_customer, backfill, sent_once)
    return _write(organization_id, *decode_mappings(events), how)


@announcing
def ingest_body(
    *,
    organization_id: int,
    body: bytes,
    received_at: datetime,
    strict: bool = False,
    only_customer: str | None = None,
    sent_by: str | None = None,
    backfill: bool = False,
) -> IngestResult:
    """The same for a JSON body with one event or an array; raises as `decode_body` does."""
    how = Sending(received_at, sent_by or sender(), strict, only_customer, backfill)
    return _write(organization_id, *decode_body(body), how)


def _write(
    organization_id: int, events: list[tuple[int, CloudEvent]], unreadable: list[Rejection], how: Sending
) -> IngestResult:
    if how.only_customer is not None:
        events, others = _of_customer(events, how.only_customer)
        unreadable = [*unreadable, *others]
    rows, refused = prepare(
        organization_id=organization_id,
        events=events,
        received_at=how.received_at,
        numeric=numeric_paths(organization_id) if events else (),
    )
    refused += unreadable
    rows = judged(
        organization_id,
        protected(organization_id, rows),
        now=how.received_at,
        backfill=how.backfill,
        sent_once=how.sent_once,
        strict=how.strict,
    )
    if how.strict and refused:
        raise BatchRejected(_result(rows=[], before={}, refused=refused))
    result = _stored(organization_id, rows, refused, how)
    return result if how.sent_once else with_notices(organization_id, rows, result)


def _stored(organization_id: int, rows: list[LogRow], refused: list[Rejection], how: Sending) -> IngestResult:
    make_partitions([row.time for row in rows if row.fault is None], now=how.received_at)
    if len(rows) == 1 and rows[0].fault is None:
        result = _result(rows=rows, before=_insert(organization_id, rows[0], how), refused=refused)
        if how.strict and result.rejected:
            raise BatchRejected(result)
        return result
    while rows:
        before = _content_hashes(row.identity for row in rows)
        result = _result(rows=rows, before=before, refused=refused)
        if how.strict and result.rejected:
            raise BatchRejected(result)
        new = _new(rows, before)
        if not new or _copy(organization_id, new, how):
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
    quarantined: list[Quarantined] = []
    known = dict(before)
    for row in rows:
        content_hash = known.get(row.identity)
        if content_hash is None:
            if row.fault is None:
                result.accepted += 1
            elif row.is_kept:
                quarantined.append(Quarantined(row.index, row.event.id, row.fault.code, row.fault.detail))
            else:
                result.rejected.append(Rejection(row.index, row.event.id, row.fault.code, row.fault.detail))
                continue
            known[row.identity] = row.content_hash
        elif content_hash == row.content_hash:
            result.duplicates += 1
        else:
            detail = "This source sent other content under this id before"
            result.rejected.append(Rejection(row.index, row.event.id, "id_conflict", detail))
    result.rejected.sort(key=_index)
    if quarantined:
        result.quarantined = quarantined
    return result


def _new(rows: list[LogRow], before: Mapping[bytes, bytes]) -> list[LogRow]:
    """Those of `rows` that are to be written: the first of each identity that the log does not have."""
    new: dict[bytes, LogRow] = {}
    for row in rows:
        if row.identity not in before and (row.fault is None or row.is_kept):
            new.setdefault(row.identity, row)
    return list(new.values())


def _index(rejection: Rejection) -> int:
    return rejection.index


def _insert(organization_id: int, row: LogRow, how: Sending) -> dict[bytes, bytes]:
    """Write `row` unless the log has it, by a statement of its own; answers the content hash of what it had before."""
    event = row.event
    values = [row.identity.hex(), row.content_hash.hex(), row.time, organization_id, event.source, event.id, event.type]
    values += [event.subject, how.received_at, row.data.decode(), how.sent_by, event.subscription]
    if event.subscription is None:
        written = run(_INSERT, values).rowcount
    else:
        with transaction.atomic():
            note_named(organization_id, [row])
            written = run(_INSERT, values).rowcount
    return {} if written else _content_hashes([row.identity])


def _copy(organization_id: int, new: list[LogRow], how: Sending) -> bool:
    """Write `new`; whether nobody else brought one of them in since they were looked up.

    COPY is the fastest way in and stops at an identity that is there. Should another request bring one in meanwhile,
    the look-up is made again and finds one more each time. In order of identity, so that requests with the same events
    wait for each other in a line.
    """
    ordered = sorted(new, key=_identity)
    counted = [row for row in new if row.fault is None]
    try:
        # A COPY goes past Django; its errors are to be Django's all the same.
        with transaction.atomic(), connection.cursor() as cursor, connection.wrap_database_errors:
            note_named(organization_id, counted)
            with cursor.copy(_COPY_IDENTITIES) as copy:
                for piece in copy_identities(ordered):
                    copy.write(piece)
            with cursor.copy(_COPY_EVENTS) as copy:
                for piece in copy_events(organization_id, counted, how.received_at, how.sent_by):
                    copy.write(piece)
            keep(organization_id, [row for row in ordered if row.fault is not None], how.received_at, how.sent_by)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        return False
    return True


def _identity(row: LogRow) -> bytes:
    return row.identity


def _content_hashes(identities: Iterable[bytes]) -> dict[bytes, bytes]:
    """The content hashes of those of `identities` that the log has."""
    wanted = "{" + ",".join(map(bytes.hex, identities)) + "}"
    # Planned each time: a plan made while the log was small would read all of it once it is large.
    return dict(run(_CONTENT_HASHES, [wanted], prepare=False, binary=True).fetchall())
