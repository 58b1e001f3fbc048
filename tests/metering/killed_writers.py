"""The processes that `test_killed_writers` starts and kills: writers and projection workers.

    python -m tests.metering.killed_writers ORGANIZATION_ID SEED DIRECTORY

reads `writer N` or `projection N` from its input, forks such a process and prints its number. What a writer sends
follows from seed, writer and batch alone, so that one started anew sends the same again. In DIRECTORY each writer
notes a batch once it was answered; the file `stop` there ends all writers.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

WRITERS = 8
SOURCE = "edge"
NOW = datetime(2026, 11, 10, tzinfo=UTC)
#: Over the end of daylight saving time in Berlin, on 25 October.
_FIRST = datetime(2026, 10, 23, tzinfo=UTC)
_MINUTES = 4 * 24 * 60


def event(seed: int, writer: int, batch: int, place: int, *, content: int = 0) -> dict[str, Any]:
    """The event of one place of a batch; another `content` gives the same identity with other data."""
    draw = random.Random(f"{seed}-{writer}-{batch}-{place}-{content}")
    return {
        "specversion": "1.0",
        "id": f"{writer}-{batch}-{place}",
        "source": SOURCE,
        "type": draw.choice(["t", "t", "t", "u"]),
        "subject": draw.choice(["acme", "globex", "initech"]),
        "time": (_FIRST + timedelta(seconds=15 * draw.randrange(4 * _MINUTES))).isoformat(),
        "data": {"model": draw.choice("ab"), "n": draw.choice([1, 2, "0.25", -3]), "who": draw.randrange(400)},
    }


@dataclass(frozen=True)
class Batch:
    """What a writer sends in one go, and then takes back: places of events of its own batch before."""

    events: list[dict[str, Any]]
    voids: list[str]


def batch_of(seed: int, writer: int, number: int) -> Batch:
    """New events; some of them twice; some of a neighbour's, as the neighbour sends them at the same time, with
    the same content and with other; some that were sent before, with the same content and with other."""
    draw = random.Random(f"{seed}-{writer}-{number}")
    neighbour = (writer + 1) % WRITERS
    events = [event(seed, writer, number, place) for place in range(20)]
    events += events[:2]
    events += [event(seed, neighbour, number, place) for place in (2, 3)]
    events += [event(seed, neighbour, number, place, content=writer + 1) for place in (4, 5)]
    if number:
        events += [event(seed, writer, number - 1, place) for place in (6, 7)]
        events += [event(seed, writer, number - 1, place, content=99) for place in (8, 9)]
    draw.shuffle(events)
    voids = [f"{writer}-{number - 1}-{place}" for place in draw.sample(range(20), 2)] if number else []
    return Batch(events, voids)


def answered(directory: Path, writer: int) -> list[dict[str, Any]]:
    """The batches that a writer was given an answer for, in their order. A line cut off by a kill is none."""
    file = directory / f"writer-{writer}.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def write(organization_id: int, seed: int, directory: Path, writer: int) -> None:
    """Send batch after batch, each again until it is answered."""
    from metering.facade import ingest, void_event

    before = answered(directory, writer)
    number = len(before)
    file = directory / f"writer-{writer}.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in before))
    while True:
        batch = batch_of(seed, writer, number)

        def send(batch: Batch = batch) -> list[int]:
            result = ingest(organization_id=organization_id, events=batch.events, received_at=NOW)
            for event_id in batch.voids:
                void_event(organization_id=organization_id, source=SOURCE, event_id=event_id, reason="t", at=NOW)
            assert {rejection.code for rejection in result.rejected} <= {"id_conflict"}
            assert result.accepted + result.duplicates + len(result.rejected) == len(batch.events)
            return [rejection.index for rejection in result.rejected]

        rejected = _until_answered(send)
        with file.open("a") as notes:
            notes.write(json.dumps({"batch": number, "rejected": rejected}) + "\n")
        # Only here: one killed before it noted a batch that was stored must send that again.
        if (directory / "stop").exists():
            return
        number += 1
        time.sleep(random.random() / 20)


def project(organization_id: int, seed: int, directory: Path, worker: int) -> None:
    from metering.facade import advance_projections

    while True:
        _until_answered(advance_projections)
        time.sleep(random.random() / 50)


def _until_answered(call: Callable[[], Any]) -> Any:
    from django.db import Error, connection

    while True:
        try:
            return call()
        except Error as error:
            connection.close()
            if not _server_went(error):
                raise
            time.sleep(0.05)


def _server_went(error: Exception) -> bool:
    """Whether the server was killed, and the call did not fail for a reason of its own such as a deadlock."""
    from django.db import InterfaceError, OperationalError
    from psycopg import errors

    own = (errors.DeadlockDetected, errors.SerializationFailure)
    return isinstance(error, InterfaceError | OperationalError) and not isinstance(error.__cause__, own)


def _become(role: str, number: int, *arguments: Any) -> None:
    from launcher.shim import die_with_parent

    try:
        die_with_parent(signal.SIGKILL)
        {"writer": write, "projection": project}[role](*arguments, number)
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    os._exit(status)


def main(organization_id: int, seed: int, directory: Path) -> None:
    import django

    django.setup()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that were killed
    for line in sys.stdin:
        role, number = line.split()
        child = os.fork()
        if child == 0:
            _become(role, int(number), organization_id, seed, directory)
        print(child, flush=True)  # noqa: T201 - this is how the test is told


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
