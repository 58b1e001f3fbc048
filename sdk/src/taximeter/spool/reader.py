"""Reads a log in order, from where its delivery stopped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from taximeter.delivery.outbox import Batch
from taximeter.spool.log import Log, Position
from taximeter.spool.records import MARK, read_records

#: How much of a segment is read at a time.
PIECE = 2 << 20


class LogReader:
    """What is left of a log. `writing` tells the segment still being written, or None where nobody writes.

    A segment is deleted once all of it is delivered. Where one has been deleted by others, to make room, reading
    goes on with the next.
    """

    def __init__(self, log: Log, *, writing: Callable[[], int | None] = lambda: None) -> None:
        self.log = log
        self.torn = 0
        self._writing = writing
        self._position = log.sent()

    @property
    def position(self) -> Position:
        """The segment and byte up to which all is delivered."""
        return self._position

    def next_batch(self, *, max_events: int) -> Batch | None:
        """The events that come next; None where there are none, for now or, in a log nobody writes, for good.

        Raises `OSError` where the log cannot be read: it may be another time.
        """
        while True:
            number, offset = self._position
            # Asked before reading: what is sealed now can hold nothing later.
            is_sealed = self._writing() != number
            data = self._read(number, offset)
            records = read_records(data, limit=max_events)
            if records.payloads:
                self.torn += records.torn
                return Batch(records.payloads, self, [offset + end for end in records.ends])
            if records.consumed:
                self.torn += records.torn
                self._position = number, offset + records.consumed
            elif len(data) >= PIECE:  # no end of line in all of it: nothing that was ever a record
                self.torn += 1
                self._position = number, offset + (data.rfind(MARK) if data.rfind(MARK) > 0 else len(data))
            elif not is_sealed or not self._go_on_behind(number, torn=bool(data)):
                return None

    def advance(self, batch: Batch) -> None:
        """All of `batch` is dealt with."""
        number, offset = self._position
        if batch.positions[-1] > offset:
            self._position = number, batch.positions[-1]
            self.log.note_sent(self._position)

    def is_past(self, position: Position) -> bool:
        return self._position >= position

    def pending_segments(self) -> list[int]:
        return [number for number in self.log.segments() if number >= self._position[0]]

    def _go_on_behind(self, number: int, *, torn: bool) -> bool:
        """Deletes a segment that is done with, and turns to the next; whether there is one."""
        following = [other for other in self.log.segments() if other > number]
        if torn and (following or self._writing() is None):
            self.torn += 1
        if not following:
            return False
        with contextlib.suppress(OSError):
            self.log.segment(number).unlink(missing_ok=True)
        self._position = following[0], 0
        self.log.note_sent(self._position)
        return True

    def _read(self, number: int, offset: int) -> bytes:
        try:
            file = os.open(self.log.segment(number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""  # others made room; any other trouble is no reason to go on behind it
        try:
            return os.pread(file, PIECE, offset)
        finally:
            os.close(file)
