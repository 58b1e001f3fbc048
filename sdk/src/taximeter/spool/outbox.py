"""The spool as the sender sees it: this process's log, and those of processes that are gone."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Sequence

from taximeter.delivery.outbox import Batch, Refusal
from taximeter.errors import SpoolError
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.log import Log, Position, segment_numbers
from taximeter.spool.reader import LogReader
from taximeter.spool.records import record_of
from taximeter.spool.writer import LogWriter

logger = logging.getLogger("taximeter")

Mark = tuple[tuple[LogReader, Position], ...]


class SpoolOutbox:
    """Takes records in from any thread; hands them out, log by log and in the order of each, to one.

    `adopt_every` is in seconds: how often it looks for logs that nobody holds any more.
    """

    def __init__(
        self, directory: SpoolDirectory, *, syncs: bool = False, max_events: int = 5000, adopt_every: float = 5.0
    ) -> None:
        self.directory = directory
        #: Held while something is written; notified when there is room again.
        self.changed = threading.Condition(threading.RLock())
        self.lost = 0
        self._syncs = syncs
        self._max_events = max_events
        self._adopt_every = adopt_every
        self._adopted_at = float("-inf")
        self._writer: LogWriter | None = None
        self._readers: list[LogReader] = []
        self._turn = 0
        self._torn = 0
        self._is_writing = False
        self._deferred: list[bytes] = []
        self._complained_at = float("-inf")

    def put(self, payloads: Sequence[bytes]) -> None:
        """Into the log before it returns, all or none. Raises `NoRoom` or `OSError` with nothing written."""
        records = record_of(payloads[0]) if len(payloads) == 1 else b"".join(map(record_of, payloads))
        with self.changed:
            if self._is_writing:
                # A signal's handler or a destructor, in the middle of this very function: right behind it.
                self._deferred.append(records)
                return
            self._is_writing = True
            try:
                self._write(records)
                while self._deferred:
                    self._write(self._deferred[0])
                    del self._deferred[0]
            finally:
                self._is_writing = False

    def make_room(self) -> int:
        """Drops the oldest segment that can be dropped. How many events went, which is 0 where none can be."""
        with self.changed, contextlib.suppress(OSError):
            own = None if self._writer is None else self._writer.log
            held = {reader.log.path: reader for reader in self._readers}
            for path in self.directory.logs():
                reader = held.get(path)
                log = reader.log if reader else Log.lock_existing(path)
                if log is None:
                    continue  # another process, which lives, has it
                try:
                    dropped = self._drop_oldest(log, reader.position if reader else log.sent(), spare=log is own)
                finally:
                    if reader is None:
                        log.release()
                if dropped is not None:
                    return dropped
        return 0

    def next_batch(self) -> Batch | None:
        with self.changed:
            readers = list(self._readers)
        for step in range(len(readers)):
            reader = readers[(self._turn + step) % len(readers)]
            try:
                batch = reader.next_batch(max_events=self._max_events)
            except OSError as problem:
                self._complain(problem)
                continue
            if batch:
                self._turn = (self._turn + step + 1) % len(readers)
                return batch
            self._leave(reader)
        return None

    def advance(self, batch: Batch) -> None:
        assert isinstance(batch.origin, LogReader)
        batch.origin.advance(batch)
        with self.changed:
            self.changed.notify_all()

    def set_aside(self, payload: bytes, refusal: Refusal) -> None:
        try:
            self.directory.set_aside(payload, refusal)
        except OSError:
            self.lost += 1
            logger.exception("a refused event could not be set aside, and is lost")

    def tend(self) -> None:
        with self.changed:
            if self._writer is not None:
                self._check_writer(self._writer)
        self.directory.write_losses()
        if time.monotonic() - self._adopted_at >= self._adopt_every:
            self.adopt()

    def adopt(self) -> None:
        """Takes over the logs of processes that are gone."""
        self._adopted_at = time.monotonic()
        self.directory.sweep()
        with self.changed:
            held = {reader.log.path for reader in self._readers}
        for path in self.directory.logs():
            log = None if path in held else Log.lock_existing(path)
            if log is not None:
                with self.changed:
                    self._readers.append(LogReader(log))

    def mark(self) -> Mark:
        """The end of this process's own log: others' are no business of a flush."""
        with self.changed:
            writer = self._writer
            return tuple((one, writer.position) for one in self._readers if writer and one.log is writer.log)

    def is_done(self, mark: object) -> bool:
        assert isinstance(mark, tuple)
        with self.changed:
            return all(reader not in self._readers or reader.is_past(position) for reader, position in mark)

    @property
    def is_empty(self) -> bool:
        """Whether the logs of others that this process took over are delivered, every one."""
        with self.changed:
            own = None if self._writer is None else self._writer.log
            return all(reader.log is own for reader in self._readers)

    @property
    def torn(self) -> int:
        """Pieces of records that a kill or a full disk left behind."""
        return self._torn + sum(reader.torn for reader in list(self._readers))

    def close(self) -> None:
        """Lets go of all logs, and removes those that are delivered. What is left is sent by whoever comes next."""
        with self.changed:
            self.directory.write_losses()
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            for reader in self._readers:
                is_delivered = False
                with contextlib.suppress(OSError):
                    is_delivered = reader.next_batch(max_events=1) is None
                if is_delivered:
                    reader.log.remove()
                else:
                    reader.log.release()
                self._torn += reader.torn
            self._readers.clear()

    def forget(self) -> None:
        """In a forked child: all of it is the parent's."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, records: bytes) -> None:
        writer = self._writer or self._begin_log()
        try:
            writer.append(records)
        except OSError as problem:
            if problem.errno != errno.EBADF:
                raise
            # Somebody closed all files, as those do who make daemons: a new log is begun.
            self._writer = None
            self._begin_log().append(records)

    def _begin_log(self) -> LogWriter:
        try:
            self.directory.make()
        except SpoolError as problem:
            # Whoever records is not to be stopped by it now; when the transport was made, it would have been.
            raise OSError(str(problem)) from problem
        writer = LogWriter(self.directory, syncs=self._syncs)
        self._writer = writer
        self._readers.append(LogReader(writer.log, writing=lambda: self._number_of(writer)))
        return writer

    def _number_of(self, writer: LogWriter) -> int | None:
        return writer.number if self._writer is writer else None

    def _check_writer(self, writer: LogWriter) -> None:
        try:
            writer.check()
        except OSError as problem:
            logger.error("%s: events recorded since are lost; a new log is begun", problem)
            self.directory.note_loss(0, "the spool's file was deleted while it was written; nobody can count them")
            writer.close()
            self._writer = None

    def _complain(self, problem: OSError) -> None:
        """Not with every round: a log that cannot be read now is tried again and again, and holds nobody up."""
        now = time.monotonic()
        if now - self._complained_at >= 60:
            self._complained_at = now
            logger.error("a part of the spool cannot be read, and waits: %s", problem)

    def _leave(self, reader: LogReader) -> None:
        """Removes a log that nobody writes and that is delivered."""
        with self.changed:
            if self._writer is not None and reader.log is self._writer.log:
                return
            if reader in self._readers:
                self._readers.remove(reader)
                self._torn += reader.torn
                reader.log.remove()
                self.changed.notify_all()

    def _drop_oldest(self, log: Log, position: Position, *, spare: bool) -> int | None:
        """The events lost with the log's oldest segment; None where it has none to drop. `spare` the last one."""
        numbers = segment_numbers(log.path)
        if spare:
            numbers = numbers[:-1]
        if not numbers:
            return None
        number = numbers[0]
        offset = position[1] if position[0] == number else 0
        count = 0
        with contextlib.suppress(OSError):
            if number >= position[0]:
                count = log.segment(number).read_bytes()[offset:].count(b"\n")
            os.unlink(log.segment(number))
        self.lost += count
        if count:
            self.directory.note_loss(count, "the oldest, since the spool was full")
        return max(count, 1)
