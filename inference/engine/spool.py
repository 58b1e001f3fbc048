"""What calls used, kept in a file until somebody has recorded it: no crash of any process loses a call.

One line of JSON each time: a call as it stands (`{"id", "call", "account", "final"}`) or ids that were
recorded (`{"recorded": […]}`). The last line of an id counts. A call without a final line when the file is
opened was cut off with the engine; what it had used by then stands. The file survives the death of any
process; it is not forced to the disk for each call, so a loss of power loses its last seconds.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger("inference.engine")

#: How often a call under way is written down, in seconds.
_EVERY = 1.0
_COMPACT_AFTER_BYTES = 4 * 1024 * 1024


class Spool:
    """The calls whose usage nobody has recorded yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, Any]] = {}
        self._written_at: dict[str, float] = {}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._read()
        for line in self._kept.values():
            line["final"] = True
        self._rewrite()

    def __len__(self) -> int:
        return len(self._kept)

    def is_due(self, request_id: str) -> bool:
        """Whether it is time to note a call under way; the first time is a moment after it began."""
        now = time.monotonic()
        return now - self._written_at.setdefault(request_id, now) >= _EVERY

    def note(self, request_id: str, call: Mapping[str, Any], account: Mapping[str, Any]) -> None:
        """Keeps what a call under way has used up to now."""
        self._written_at[request_id] = time.monotonic()
        self._keep(request_id, call, account, final=False)

    def finish(self, request_id: str, call: Mapping[str, Any], account: Mapping[str, Any]) -> None:
        """Keeps what a call used in all."""
        self._written_at.pop(request_id, None)
        self._keep(request_id, call, account, final=True)

    def forget(self, request_id: str) -> None:
        """For a call that was refused: nothing of it is to be recorded."""
        self._written_at.pop(request_id, None)
        if request_id in self._kept:
            self.recorded([request_id])

    def unrecorded(self, *, older_than: float, limit: int) -> list[dict[str, Any]]:
        """Finished calls that were kept `older_than` seconds ago or before, oldest first."""
        before = time.time() - older_than
        with self._lock:
            found = [line for line in self._kept.values() if line["final"] and line["at"] <= before]
        return found[:limit]

    def recorded(self, ids: Sequence[str]) -> None:
        """Lets go of calls: their usage is in the log."""
        with self._lock:
            known = [request_id for request_id in ids if self._kept.pop(request_id, None)]
            if not known:
                return
            if not self._kept or self._file.tell() > _COMPACT_AFTER_BYTES:
                self._rewrite()
            else:
                self._append({"recorded": known})

    def _keep(self, request_id: str, call: Mapping[str, Any], account: Mapping[str, Any], *, final: bool) -> None:
        line = {"id": request_id, "at": time.time(), "final": final, "call": dict(call), "account": dict(account)}
        with self._lock:
            self._kept[request_id] = line
            self._append(line)

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
        except OSError:  # a full disk must not keep the web server from recording the call
            logger.exception("%s cannot be written to; calls are kept in memory only", self._path)

    def _read(self) -> None:
        if not self._path.exists():
            return
        for row in self._path.read_bytes().split(b"\n"):
            try:
                line = json.loads(row) if row else {}
            except ValueError:
                logger.warning("a line of %s is damaged and left out", self._path)
                continue
            if "id" in line:
                self._kept[line["id"]] = line
            for request_id in line.get("recorded", ()):
                self._kept.pop(request_id, None)

    def _rewrite(self) -> None:
        """The file with what is kept and nothing else, put in place at once."""
        unfinished = self._path.with_name(f"{self._path.name}.new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for line in self._kept.values():
                file.write(json.dumps(line).encode() + b"\n")
        unfinished.rename(self._path)
        self._file = self._path.open("ab", buffering=0)
