"""The spool's directory: what is in it, how much there may be, and what is kept apart."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from taximeter.delivery.outbox import Refusal
from taximeter.errors import SpoolError
from taximeter.spool.locks import check_locks, holding
from taximeter.spool.log import Log, segment_numbers

FORMAT = "taximeter-spool 1\n"
REFUSED, OLDER_REFUSED = "refused.jsonl", "refused.1.jsonl"
BEING_RETRIED = "refused.retry.jsonl"
LOSSES, OLDER_LOSSES = "losses.jsonl", "losses.1.jsonl"
_NEW = ".new-"


class NoRoom(Exception):
    """The spool is as large as it may be."""


class SpoolDirectory:
    """A directory that several processes share. All sizes are in bytes; `max_bytes` bounds all of it."""

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = 1 << 30) -> None:
        check_locks()
        if max_bytes < 1 << 20:
            raise ValueError("max_bytes must be at least 1 MiB")
        self.path = Path(path).absolute()
        self.max_bytes = max_bytes
        self.segment_bytes = min(4 << 20, max_bytes // 16)
        self._noting = threading.RLock()
        self._losses: dict[str, int] = {}
        self._noted_at = float("-inf")

    def make(self) -> None:
        """Makes the directory, or checks the one that is there; raises `SpoolError` where it cannot be used."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            marker = self.path / "FORMAT"
            if not marker.exists():
                aside = self.path / f"{_NEW}{uuid.uuid4().hex}"
                aside.write_text(FORMAT)
                aside.replace(marker)
            found = marker.read_text()
        except OSError as error:
            raise SpoolError(f"the spool {self.path} cannot be used: {error}") from error
        if found != FORMAT:
            raise SpoolError(f"{self.path} holds {found.strip()!r}, and this version writes {FORMAT.strip()!r}")

    def logs(self) -> list[Path]:
        """The logs of all processes, the oldest first."""
        try:
            with os.scandir(self.path) as entries:
                found = [Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
            return sorted(found)
        except OSError:
            return []

    def new_log(self) -> Log:
        """A log for this process, locked before anyone can see it."""
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
        name = f"{stamp}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        aside = self.path / f"{_NEW}{name}"
        aside.mkdir(mode=0o700)
        log = Log.lock_existing(aside)
        if log is None:
            raise OSError(f"{aside} cannot be locked: the file system may have no locks")
        log.path = aside.rename(self.path / name)
        return log

    @contextmanager
    def room_for_segment(self) -> Iterator[None]:
        """For the block in which a segment is made: no other process makes one. Raises `NoRoom`."""
        with holding(self.path / ".lock"):
            used = self.used_bytes(reserving=True)
            if used + self.segment_bytes > self.max_bytes:
                raise NoRoom(f"the spool {self.path} holds {used:,} of {self.max_bytes:,} bytes")
            yield

    def used_bytes(self, *, reserving: bool = False) -> int:
        """The size of all logs and of what was set aside; with `reserving`, each log's last segment counts as full."""
        total = 0
        for path in self.logs():
            sizes = []
            for number in segment_numbers(path):
                with contextlib.suppress(OSError):
                    sizes.append((path / f"{number:08d}.log").stat().st_size)
            if sizes and reserving:
                sizes[-1] = max(sizes[-1], self.segment_bytes)
            total += sum(sizes)
        return total + sum(self._size(name) for name in (REFUSED, OLDER_REFUSED))

    def set_aside(self, payload: bytes, refusal: Refusal) -> None:
        """Appends an event to what was refused. An eighth of the spool is kept at most; older ones go, counted."""
        head = {"at": _now(), "code": refusal.code, "status": refusal.status, "detail": refusal.detail}
        line = json.dumps(head).encode()[:-1] + b', "event": ' + payload + b"}\n"
        if self._size(REFUSED) + len(line) > self.max_bytes // 16:
            with holding(self.path / ".lock"):
                if self._size(REFUSED) + len(line) > self.max_bytes // 16:
                    gone = self.count_lines(OLDER_REFUSED)
                    with contextlib.suppress(OSError):
                        (self.path / REFUSED).replace(self.path / OLDER_REFUSED)
                    if gone:
                        self.note_loss(gone, "refused events that were set aside for longest")
        self._append(REFUSED, line)

    def note_loss(self, events: int, reason: str) -> None:
        """Remembers that events are gone; written down once a second at most, since there may be many."""
        with self._noting:
            self._losses[reason] = self._losses.get(reason, 0) + events
        if time.monotonic() - self._noted_at >= 1:
            self.write_losses()

    def write_losses(self) -> None:
        """Writes down what `note_loss` was told. On a full disk it is remembered until there is room again."""
        self._noted_at = time.monotonic()
        with self._noting, contextlib.suppress(OSError):
            for reason, events in list(self._losses.items()):
                entry = json.dumps({"at": _now(), "events": events, "reason": reason}).encode() + b"\n"
                if self._size(LOSSES) > 1 << 20:
                    (self.path / LOSSES).replace(self.path / OLDER_LOSSES)
                self._append(LOSSES, entry)
                del self._losses[reason]

    def refused(self) -> Iterator[dict[str, Any]]:
        """What was set aside, each event once, the oldest first."""
        seen = set()
        apart = sorted(path.name for path in self.path.glob(f"{BEING_RETRIED}*"))
        for name in (*apart, OLDER_REFUSED, REFUSED):
            for entry in self._lines(name):
                event = entry.get("event", {})
                key = (event.get("source"), event.get("id"), entry.get("code"))
                if key not in seen:
                    seen.add(key)
                    yield entry

    def take_refused(self) -> list[Path]:
        """Puts the files of what was set aside apart, for somebody to read, and then delete."""
        taken = [path for path in self.path.glob(f"{BEING_RETRIED}*") if path.is_file()]
        with holding(self.path / ".lock"):
            for name in (OLDER_REFUSED, REFUSED):
                apart = self.path / f"{BEING_RETRIED}.{uuid.uuid4().hex[:8]}"
                with contextlib.suppress(FileNotFoundError):
                    taken.append((self.path / name).rename(apart))
        return taken

    def losses(self) -> Iterator[dict[str, Any]]:
        """What was dropped or could not be taken in, counted."""
        yield from self._lines(OLDER_LOSSES)
        yield from self._lines(LOSSES)

    def count_lines(self, name: str) -> int:
        try:
            return (self.path / name).read_bytes().count(b"\n")
        except OSError:
            return 0

    def sweep(self) -> None:
        """Removes what was begun under a passing name more than an hour ago and never finished."""
        for path in self.path.glob(f"{_NEW}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > 3600:
                    if not path.is_dir():
                        path.unlink()
                    elif log := Log.lock_existing(path):
                        log.remove()

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        try:
            file = (self.path / name).open("rb")
        except OSError:
            return
        with file:
            for line in file:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, dict):
                        yield entry

    def _append(self, name: str, line: bytes) -> None:
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def _size(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except OSError:
            return 0


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
