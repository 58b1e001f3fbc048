"""How fast events are written to the log, beside a bare binary COPY of the same rows into tables with the
same indexes, in one run.

    python -m bench ingest [EVENTS] [BATCH]

Both sides are this process and one PostgreSQL with synchronous_commit=on; a batch is one transaction.
The rounds alternate, so that a noisy machine disturbs both; medians are shown. The log's side includes
decoding the JSON, hashing identity and content, and telling duplicates. The last row is a sender whose events are
all too old, so that each goes into quarantine.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.adapt import Dumper
from psycopg.pq import Format

from bench.setting import database

ROUNDS = 5
START = datetime(2026, 10, 1, tzinfo=UTC)
_RECEIVED = START + timedelta(days=31)  # after every event, of which none may lie ahead
_TOO_OLD = datetime(2024, 1, 1, tzinfo=UTC)


def main(events: int = 100_000, batch: int = 5_000) -> None:
    with database():
        from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now

        organization_id = create_organization(name="Bench").pk
        _copy_table()
        copied, ingested, again, kept = [], [], [], []
        for number in range(ROUNDS):
            bodies = [_body(number, start, batch) for start in range(0, events, batch)]
            rows = [_rows(organization_id, body) for body in bodies]
            copied.append(events / _seconds(lambda rows=rows: [_copy(part) for part in rows]))
            ingested.append(events / _seconds(lambda bodies=bodies: [_ingest(organization_id, b) for b in bodies]))
            again.append(events / _seconds(lambda bodies=bodies: [_ingest(organization_id, b) for b in bodies]))
            old = [_body(number, start, batch, _TOO_OLD) for start in range(0, events, batch)]
            with _look_back(days=365):
                kept.append(events / _seconds(lambda bodies=old: [_ingest(organization_id, b) for b in bodies]))
    base = statistics.median(copied)
    print(f"{events:,} events a round, {batch:,} a transaction, {ROUNDS} rounds, medians")
    for name, speeds in (
        ("binary COPY alone", copied),
        ("ingest, new events", ingested),
        ("ingest, duplicates", again),
        ("ingest, quarantined", kept),
    ):
        median = statistics.median(speeds)
        print(f"  {name:20} {median:10,.0f} events/s   {median / base:5.2f} of the COPY")


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def _look_back(*, days: int) -> Iterator[None]:
    """The server's usual look-back, which benchmarks are spared otherwise."""
    from django.conf import settings  # noqa: PLC0415

    before, settings.EVENT_LOOK_BACK_DAYS = settings.EVENT_LOOK_BACK_DAYS, days
    try:
        yield
    finally:
        settings.EVENT_LOOK_BACK_DAYS = before


def _body(number: int, start: int, batch: int, first: datetime = START) -> bytes:
    return json.dumps(
        [
            {
                "specversion": "1.0",
                "id": f"{first.year}-{number}-{i}",
                "source": f"edge/{i % 50}",
                "type": "agent.turn",
                "subject": f"customer-{i % 1000}",
                "time": (first + timedelta(seconds=i % 2_600_000)).isoformat(),
                "data": {
                    "agent": f"agent-{i % 10}",
                    "task_id": f"task-{number}-{i // 8}",
                    "turn_id": f"turn-{number}-{i}",
                    "model": "smollm2-135m",
                    "input_tokens": 100 + i % 400,
                    "output_tokens": i % 60,
                    "compute_seconds": f"0.{i % 1000:03d}",
                },
            }
            for i in range(start, start + batch)
        ]
    ).encode()


def _ingest(organization_id: int, body: bytes) -> None:
    from metering.facade import ingest_body  # noqa: PLC0415

    ingest_body(organization_id=organization_id, body=body, received_at=_RECEIVED)


@dataclass(frozen=True)
class Rows:
    """The very rows that ingest would write, made beforehand, in the order in which it would write them."""

    identities: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]


def _rows(organization_id: int, body: bytes) -> Rows:
    from metering.decoding import decode_body, prepare  # noqa: PLC0415

    rows, _ = prepare(organization_id=organization_id, events=decode_body(body)[0], received_at=_RECEIVED, numeric=())
    identities = [
        (UUID(bytes=row.identity), UUID(bytes=row.content_hash), row.time)
        for row in sorted(rows, key=lambda row: row.identity)
    ]
    events = [
        (
            UUID(bytes=row.identity),
            organization_id,
            row.event.source,
            row.event.id,
            row.event.type,
            row.event.subject,
            row.time,
            _RECEIVED,
            row.data,
            "system",
            row.event.subscription,
        )
        for row in rows
    ]
    return Rows(identities, events)


def _copy_table() -> None:
    """The log's tables once more, with the same indexes and, for the month of `START`, a partition as it has one."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_identity (LIKE metering_eventidentity INCLUDING ALL)")
        cursor.execute("CREATE TABLE bench_copy (LIKE metering_usageevent INCLUDING ALL) PARTITION BY RANGE (time)")
        cursor.execute("CREATE TABLE bench_copy_other PARTITION OF bench_copy DEFAULT")
        cursor.execute(
            "CREATE TABLE bench_copy_month PARTITION OF bench_copy FOR VALUES FROM ('2026-10-01Z') TO ('2026-11-01Z')"
        )


class JsonbBytes(Dumper):
    """JSON text, as bytes, in jsonb's binary form: a version byte before it."""

    oid, format = 3802, Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return b"\x01" + obj


def _copy(rows: Rows) -> None:
    from django.db import connection, transaction  # noqa: PLC0415

    from metering.services.log_format import COLUMNS, IDENTITY_COLUMNS  # noqa: PLC0415

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.cursor.adapters.register_dumper(bytes, JsonbBytes)
        with cursor.copy(f"COPY bench_identity ({IDENTITY_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid", "uuid", "timestamptz"])
            for row in rows.identities:
                copy.write_row(row)
        with cursor.copy(f"COPY bench_copy ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            texts = ["text"] * 4
            copy.set_types(["uuid", "int8", *texts, "timestamptz", "timestamptz", "jsonb", "text", "text"])
            for row in rows.events:
                copy.write_row(row)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
