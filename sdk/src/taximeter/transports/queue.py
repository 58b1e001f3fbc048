"""Events in memory, sent in the background: the fastest, and gone with the process."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from itertools import islice

from taximeter.delivery.outbox import Batch, Outbox, Refusal
from taximeter.delivery.sender import Waits
from taximeter.encoding import encode_event
from taximeter.errors import SpoolFull
from taximeter.events import Event
from taximeter.transports.background import BackgroundTransport, Stats, WhenFull

logger = logging.getLogger("taximeter")


class QueueOutbox:
    """A bounded queue. `refused` keeps the last thousand events that the server will never take, with the reason."""

    def __init__(self, *, max_events: int, batch_events: int) -> None:
        self.events: deque[Event] = deque()
        self.refused: deque[tuple[bytes, Refusal]] = deque(maxlen=1000)
        self.changed = threading.Condition(threading.RLock())
        self.lost = 0
        self.max_events = max_events
        self._batch_events = batch_events
        #: How many events have left the queue since it was made, and so the place of its first.
        self._gone = 0

    def drop_oldest(self) -> None:
        with self.changed:
            if self.events:
                self.events.popleft()
                self._gone += 1
                self.lost += 1

    def next_batch(self) -> Batch | None:
        with self.changed:
            first = self._gone
            events = list(islice(self.events, self._batch_events))
        if not events:
            return None
        payloads, positions = [], []
        for position, event in enumerate(events, first + 1):
            try:
                payloads.append(encode_event(event))
                positions.append(position)
            except (TypeError, ValueError, RecursionError) as error:  # noqa: PERF203 - no event that a meter made
                self.set_aside(str(event.get("id"))[:200].encode(), Refusal("event_invalid", str(error)))
        if not payloads:
            self.advance(Batch([], None, [first + len(events)]))
            return self.next_batch()
        positions[-1] = first + len(events)  # with what could not be encoded behind it
        return Batch(payloads, None, positions)

    def advance(self, batch: Batch) -> None:
        with self.changed:
            while self._gone < batch.positions[-1]:  # some may have been dropped in the meantime
                self.events.popleft()
                self._gone += 1
            self.changed.notify_all()

    def set_aside(self, payload: bytes, refusal: Refusal) -> None:
        self.refused.append((payload, refusal))

    def tend(self) -> None:
        """Nobody else's events are in memory."""

    def mark(self) -> int:
        with self.changed:
            return self._gone + len(self.events)

    def is_done(self, mark: object) -> bool:
        assert isinstance(mark, int)
        return self._gone >= mark


class QueueTransport(BackgroundTransport):
    """Keeps up to `max_events` in memory and sends them in the background. A process that is killed loses them.

    `when_full` is as for `SpoolTransport`: `drop_oldest` (counted in `stats().lost`), `block` for `block_seconds` at
    most, or `raise`.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str,
        max_events: int = 100_000,
        when_full: WhenFull = "drop_oldest",
        block_seconds: float = 30.0,
        batch_events: int = 5000,
        timeout: float = 10.0,
        exit_timeout: float = 10.0,
        waits: Waits | None = None,
    ) -> None:
        super().__init__(
            address,
            api_key=api_key,
            when_full=when_full,
            block_seconds=block_seconds,
            timeout=timeout,
            exit_timeout=exit_timeout,
            waits=waits,
        )
        self._max_events = max_events
        self._batch_events = batch_events
        self._outbox = self._new_outbox()

    def __call__(self, events: list[Event]) -> None:
        if self._sender is None:
            self._started()
        outbox = self._outbox
        for event in events:
            if len(outbox.events) >= outbox.max_events and not self._make_room():
                continue
            outbox.events.append(event)

    def stats(self) -> Stats:
        """What became of events since this process began."""
        return Stats(**vars(self._progress), lost=self._outbox.lost)

    def refused(self) -> list[tuple[bytes, Refusal]]:
        """The last events that the server will never take, and why."""
        return list(self._outbox.refused)

    def _make_room(self) -> bool:
        outbox = self._outbox
        if self.when_full == "raise":
            raise SpoolFull(f"{outbox.max_events:,} events wait already")
        if self.when_full == "drop_oldest":
            outbox.drop_oldest()
            self._complain("no room: the oldest events are dropped, %d so far", outbox.lost)
            return True
        deadline = time.monotonic() + self._block_seconds
        with outbox.changed:
            while len(outbox.events) >= outbox.max_events:
                if time.monotonic() >= deadline:
                    outbox.lost += 1
                    self._complain("no room: events are lost, %d so far", outbox.lost)
                    return False
                outbox.changed.wait(0.05)
        return True

    def _make_outbox(self) -> Outbox:
        return self._outbox

    def _new_outbox(self) -> QueueOutbox:
        return QueueOutbox(max_events=self._max_events, batch_events=self._batch_events)

    def _forget(self) -> None:
        self._outbox = self._new_outbox()

    def _what_is_left(self) -> str:
        return f"{len(self._outbox.events)} in memory, which are lost"
