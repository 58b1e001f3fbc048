"""The line before work of which only so much is done at a time: who would wait too long is sent away at once."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from kernel.errors import UnavailableError

P = TypeVar("P")

#: The part of a new measurement in the average of how long a place is held.
_WEIGHT = 0.1


class Overloaded(UnavailableError):
    """More is asked of the server than it can do; nothing of the request was done. `wait`: seconds until it may be."""

    code = "overloaded"

    def __init__(self, detail: str, *, wait: float = 0.0) -> None:
        super().__init__(detail)
        # Those sent away together should not come back together.
        self.wait = 1 + int(wait + random.random() * (1 + wait))  # noqa: S311 - nothing secret


class _Ticket(Generic[P]):
    __slots__ = ("place", "turn")

    def __init__(self) -> None:
        self.place: P | None = None
        self.turn = threading.Lock()
        self.turn.acquire()


class Line(Generic[P]):
    """First come, first served, at `places`, among the threads of this process.

    A request is sent away at its arrival if, at the pace of the last ones, it would wait longer than
    `longest_wait` seconds, or if `most_waiting` wait already.
    """

    def __init__(self, places: Iterable[P], *, most_waiting: int, longest_wait: float) -> None:
        self._free = list(places)
        self._places = len(self._free)
        self._most_waiting, self._longest_wait = most_waiting, longest_wait
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[P]] = deque()
        self._held_seconds = 0.0

    def enter(self) -> P:
        """A place, to be given back with `leave`; raises `Overloaded`."""
        with self._lock:
            if self._free:
                return self._free.pop()
            wait = self._expected_wait()
            if len(self._waiting) >= self._most_waiting or wait > self._longest_wait:
                raise Overloaded(
                    "More is sent than the server can take in. Send the same again after a moment", wait=wait
                )
            ticket: _Ticket[P] = _Ticket()
            self._waiting.append(ticket)
        # What is at work may take far longer than what was before it.
        if not ticket.turn.acquire(timeout=3 * self._longest_wait):
            self._give_up(ticket)
        assert ticket.place is not None
        return ticket.place

    def leave(self, place: P, *, held_since: float) -> None:
        """Give `place` to who has waited longest; `held_since` is of `time.monotonic`."""
        held = time.monotonic() - held_since
        with self._lock:
            self._held_seconds += (held - self._held_seconds) * _WEIGHT
            if self._waiting:
                ticket = self._waiting.popleft()
                ticket.place = place
                ticket.turn.release()
            else:
                self._free.append(place)

    def _expected_wait(self) -> float:
        return (len(self._waiting) + 1) * self._held_seconds / self._places

    def _give_up(self, ticket: _Ticket[P]) -> None:
        with self._lock:
            if ticket.place is None:
                self._waiting.remove(ticket)
                raise Overloaded("The server is held up. Send the same again after a moment", wait=self._longest_wait)
