"""A look at a spool from outside: nothing is locked for longer than it takes to ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.locks import is_locked
from taximeter.spool.log import Position, read_sent, segment_numbers
from taximeter.spool.reader import PIECE
from taximeter.spool.records import read_records


@dataclass(frozen=True)
class LogState:
    """One process's log. `oldest` is the time of the first event that waits."""

    path: Path
    process: int
    is_held: bool
    waiting: int
    size: int
    oldest: str | None


def survey(directory: SpoolDirectory) -> list[LogState]:
    """The logs of a spool, the oldest first."""
    return [_state(path) for path in directory.logs()]


def records_from(path: Path, position: Position) -> Iterator[tuple[bytes, Position]]:
    """The events of a log behind `position`, each with its end, as far as it is written now."""
    for number in [number for number in segment_numbers(path) if number >= position[0]]:
        offset = position[1] if number == position[0] else 0
        try:
            file = (path / f"{number:08d}.log").open("rb")
        except OSError:
            continue  # delivered in the meantime
        with file:
            while True:
                file.seek(offset)
                data = file.read(PIECE)
                found = read_records(data, limit=1 << 30)
                for payload, end in zip(found.payloads, found.ends, strict=True):
                    yield payload, (number, offset + end)
                if not found.consumed and len(data) < PIECE:
                    break
                offset += found.consumed or len(data)


def _state(path: Path) -> LogState:
    waiting = size = 0
    oldest: str | None = None
    for payload, _ in records_from(path, read_sent(path)):
        if oldest is None:
            oldest = event_of(payload).get("time")
        waiting += 1
        size += len(payload)
    stem = path.name.split("-")
    process = int(stem[1]) if len(stem) > 1 and stem[1].isdigit() else 0
    return LogState(path, process, is_locked(path / "lock"), waiting, size, oldest)


def event_of(payload: bytes) -> dict[str, Any]:
    """The event in a record; empty where it is none."""
    try:
        event = json.loads(payload)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
