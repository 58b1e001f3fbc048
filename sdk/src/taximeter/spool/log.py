"""The log of one process: numbered segments, and how far they have been delivered."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from taximeter.spool.locks import try_lock, unlock

SUFFIX = ".log"
Position = tuple[int, int]


@dataclass
class Log:
    """A directory of segments. `lock` is the descriptor by which this process holds it."""

    path: Path
    lock: int

    @classmethod
    def lock_existing(cls, path: Path) -> Log | None:
        """The log at `path`, if nobody holds it and it is still there."""
        if not path.is_dir():
            return None
        lock = try_lock(path / "lock")
        return None if lock is None else cls(path, lock)

    def segments(self) -> list[int]:
        """The numbers of its segments, the oldest first."""
        return segment_numbers(self.path)

    def segment(self, number: int) -> Path:
        return self.path / f"{number:08d}{SUFFIX}"

    def sent(self) -> Position:
        """The segment and the byte in it up to which all is delivered. (0, 0) where that is not known: what is sent
        again for that reason is a duplicate, and no harm."""
        return read_sent(self.path)

    def note_sent(self, position: Position) -> None:
        """Remembers `sent`, with a checksum: the write may be cut short. A disk that is full keeps the one before."""
        text = b"%010d %020d" % position
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path / "sent", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, b"%b %08x\n" % (text, crc32(text)), 0)
            finally:
                os.close(descriptor)

    def release(self) -> None:
        """Leaves the log to whoever comes next."""
        if self.lock >= 0:
            unlock(self.lock)
            self.lock = -1

    def remove(self) -> None:
        """Deletes it. Where this is cut short, whoever comes next goes on; what it sends again is a duplicate."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def segment_numbers(path: Path) -> list[int]:
    """The numbers of the segments in a log's directory, the oldest first; none where there is no such directory.

    Anything else raises `OSError`: what cannot be looked at is not to be taken for empty, and removed.
    """
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return []
    stems = [name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX)]
    return sorted(int(stem) for stem in stems if stem.isdigit())


def read_sent(path: Path) -> Position:
    """`Log.sent` of a log that this process need not hold."""
    try:
        text, _, checksum = (path / "sent").read_bytes().strip().rpartition(b" ")
        if int(checksum, 16) != crc32(text):
            return 0, 0
        number, _, offset = text.partition(b" ")
        return int(number), int(offset)
    except (OSError, ValueError):
        return 0, 0
