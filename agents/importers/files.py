"""Files read line by line, plain or gzipped, however large."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from agents.importers.report import FileUnreadable

#: Longer lines are refused unread, so that a file without line ends cannot fill the memory.
MAX_LINE_BYTES = 64 * 1024 * 1024


class LineFile:
    """The lines of an open file with their numbers from 1, without line ends. A too long line comes as None."""

    def __init__(self, raw: IO[bytes], path: Path) -> None:
        self._raw, self._path = raw, path
        self._stream: Any = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        self.size = path.stat().st_size

    @property
    def position(self) -> int:
        """How many of the file's `size` bytes were read so far."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        number = 0
        try:
            while line := self._stream.readline(MAX_LINE_BYTES):
                number += 1
                if line.endswith(b"\n") or len(line) < MAX_LINE_BYTES:
                    yield number, line.rstrip(b"\r\n")
                else:
                    while (rest := self._stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                        pass
                    yield number, None
        except (OSError, EOFError, zlib.error) as error:
            raise FileUnreadable(f"{self._path} cannot be read on after line {number}: {error}") from None


@contextmanager
def open_lines(path: Path) -> Iterator[LineFile]:
    """The file at `path`, gunzipped where its name ends in `.gz`; raises `FileUnreadable`."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {error.strerror}") from None
    with raw:
        yield LineFile(raw, path)


def data_suffix(path: Path) -> str:
    """What kind of file the name says it is, below a `.gz`: `.csv`, `.jsonl`, …"""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
