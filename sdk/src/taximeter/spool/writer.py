"""Appends records to this process's log."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.log import Log, Position


class LogWriter:
    """Segment after segment. Not locked: its owner calls it from one thread at a time.

    With `syncs`, an append is on the disk when it returns and survives the power going off; without, it is with
    the operating system and survives the process.
    """

    def __init__(self, directory: SpoolDirectory, *, syncs: bool = False) -> None:
        self._directory = directory
        self._syncs = syncs
        self._file = -1
        self.number = 0
        self.size = 0
        with directory.room_for_segment():
            self.log: Log = directory.new_log()
            try:
                self._open(1)
            except OSError:
                self.log.remove()
                raise

    def append(self, records: bytes) -> None:
        """Writes whole records, all or none. Raises `NoRoom` or `OSError` with nothing written."""
        if self.size + len(records) > self._directory.segment_bytes and self.size:
            with self._directory.room_for_segment():
                self._open(self.number + 1)
        written = os.write(self._file, records)
        while written < len(records):
            try:
                written += os.write(self._file, records[written:])
            except OSError:  # noqa: PERF203 - seldom more than one round
                # A piece of a record is no record: it goes again, or its checksum would have to tell.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self.size)
                raise
        self.size += written
        if self._syncs:
            os.fsync(self._file)

    @property
    def position(self) -> Position:
        """The end of the log."""
        return self.number, self.size

    def check(self) -> None:
        """Raises `OSError` where the file is no longer where it was, so that nobody would find what is written."""
        if os.fstat(self._file).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the spool's file was deleted", str(self.log.path))

    def close(self) -> None:
        """Lets go of the open segment; the log stays locked."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _open(self, number: int) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(self.log.segment(number), flags, 0o600)
        self.close()
        self._file, self.number, self.size = file, number, 0
        if self._syncs:  # a file is found again after a power failure if its directory is on the disk, too
            for directory in (self.log.path, self.log.path.parent):
                _sync_directory(directory)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
