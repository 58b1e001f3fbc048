"""Events on the disk before the call returns, and sent from there."""

from __future__ import annotations

import errno
import os
import time

from taximeter.delivery.outbox import Outbox, Refusal
from taximeter.delivery.sender import Waits
from taximeter.encoding import encode_event
from taximeter.errors import SpoolFull
from taximeter.events import Event
from taximeter.spool.directory import NoRoom, SpoolDirectory
from taximeter.spool.outbox import SpoolOutbox
from taximeter.transports.background import BackgroundTransport, Stats, WhenFull

#: A larger event is not sent at all; the server takes 64 KiB of data.
MAX_EVENT_BYTES = 256 * 1024


def _is_for_want_of_room(problem: Exception) -> bool:
    return isinstance(problem, NoRoom) or (
        isinstance(problem, OSError) and problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    )


class SpoolTransport(BackgroundTransport):
    """Writes each event into a file of `directory` before it returns, and sends from there in the background.

    Several processes may share a directory; use one for each server and key, since whoever finds the events of a
    process that is gone sends them. `max_bytes` bounds all of it.

    `when_full` says what becomes of an event for which there is no room, in the spool or on the disk:
    `drop_oldest` drops the oldest that wait, counts them (`stats().lost`, `losses.jsonl`) and logs an error; `block`
    waits until there is room, `block_seconds` at most, and then counts and logs the event as lost; `raise` raises
    `SpoolFull`.

    With `syncs` each event is on the disk itself when the call returns, at the price of that disk's sync, and
    survives a power failure. Without, it is with the operating system and survives the process.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str,
        directory: str | os.PathLike[str],
        max_bytes: int = 1 << 30,
        when_full: WhenFull = "drop_oldest",
        block_seconds: float = 30.0,
        syncs: bool = False,
        batch_events: int = 5000,
        adopt_every: float = 5.0,
        timeout: float = 10.0,
        exit_timeout: float = 2.0,
        waits: Waits | None = None,
    ) -> None:
        if not 1 <= batch_events <= 10_000:
            raise ValueError("batch_events lies between 1 and 10,000, which is what the server takes")
        super().__init__(
            address,
            api_key=api_key,
            when_full=when_full,
            block_seconds=block_seconds,
            timeout=timeout,
            exit_timeout=exit_timeout,
            waits=waits,
        )
        self.directory = SpoolDirectory(directory, max_bytes=max_bytes)
        self.directory.make()
        self._syncs = syncs
        self._batch_events = batch_events
        self._adopt_every = adopt_every
        self._outbox = self._new_outbox()

    def __call__(self, events: list[Event]) -> None:
        if self._sender is None:
            self._started()
        if len(events) == 1:
            payload = encode_event(events[0])
            if len(payload) <= MAX_EVENT_BYTES:
                try:
                    self._outbox.put((payload,))
                except (NoRoom, OSError) as problem:
                    self._without_room((payload,), problem)
                return
        self._put_many(events)

    def drain(self, timeout: float) -> bool:
        """Sends what processes that are gone have left; whether all of it was dealt with, `timeout` seconds later."""
        deadline = time.monotonic() + timeout
        self._outbox.adopt()
        self._started()
        while not self._outbox.is_empty:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def stats(self) -> Stats:
        """What became of events since this process began."""
        return Stats(**vars(self._progress), lost=self._outbox.lost, torn=self._outbox.torn)

    def _put_many(self, events: list[Event]) -> None:
        payloads = []
        for event in events:
            payload = encode_event(event)
            if len(payload) <= MAX_EVENT_BYTES:
                payloads.append(payload)
            else:
                self._refuse(event, len(payload))
        for start in range(0, len(payloads), 100):
            some = tuple(payloads[start : start + 100])
            try:
                self._outbox.put(some)
            except (NoRoom, OSError) as problem:
                self._without_room(some, problem)

    def _refuse(self, event: Event, size: int) -> None:
        self._complain("an event of %d bytes is too large, and was set aside without its data", size)
        stub = encode_event({name: value for name, value in event.items() if name != "data"})
        detail = f"it has {size:,} bytes, more than {MAX_EVENT_BYTES:,}"
        self._outbox.set_aside(stub, Refusal("event_too_large", detail))

    def _without_room(self, payloads: tuple[bytes, ...], problem: Exception) -> None:
        """Does what `when_full` says, until the events are in the spool or given up."""
        deadline = time.monotonic() + self._block_seconds
        while True:
            if self.when_full == "raise":
                raise SpoolFull(f"{len(payloads)} event(s) were not recorded: {problem}") from problem
            if self.when_full == "drop_oldest":
                # Dropping makes room; it does not mend a disk that fails, or bring back files to open.
                dropped = self._outbox.make_room() if _is_for_want_of_room(problem) else 0
                if not dropped:
                    self._lose(len(payloads), problem)
                    return
                self._complain("no room (%s): the oldest %d events were dropped", problem, dropped)
            elif time.monotonic() >= deadline:
                self._lose(len(payloads), problem)
                return
            else:
                with self._outbox.changed:
                    self._outbox.changed.wait(0.05)
            try:
                self._outbox.put(payloads)
                return
            except (NoRoom, OSError) as again:
                problem = again

    def _lose(self, events: int, problem: Exception) -> None:
        self._outbox.lost += events
        self._complain("no room (%s): events are lost, %d so far", problem, self._outbox.lost)
        self.directory.note_loss(events, f"no room: {problem}")

    def _make_outbox(self) -> Outbox:
        return self._outbox

    def _new_outbox(self) -> SpoolOutbox:
        return SpoolOutbox(
            self.directory, syncs=self._syncs, max_events=self._batch_events, adopt_every=self._adopt_every
        )

    def _release(self) -> None:
        self._outbox.close()

    def _forget(self) -> None:
        self._outbox.forget()
        self.directory = SpoolDirectory(self.directory.path, max_bytes=self.directory.max_bytes)
        self._outbox = self._new_outbox()

    def _what_is_left(self) -> str:
        return f"they are kept in {self.directory.path}, and sent by the next process that uses it"
