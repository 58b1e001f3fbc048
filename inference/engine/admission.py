"""Who is next: one request at a time, first come first served."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kernel.errors import TaximeterError


class EngineBusy(TaximeterError):
    """The line is full; try again later."""

    code = "engine_busy"


class Admission:
    """The line in front of the model."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._line: list[object] = []

    def __len__(self) -> int:
        """How many requests stand in line, the one being worked on included."""
        return len(self._line)

    @contextmanager
    def turn(self, gone: Callable[[], bool]) -> Iterator[bool]:
        """Waits for this request's turn; gives False where `gone` says that nobody waits for it any more.

        Raises `EngineBusy` where the line is full.
        """
        ticket = object()
        with self._changed:
            if len(self._line) > self._limit:
                raise EngineBusy("Too many requests are waiting for the engine")
            self._line.append(ticket)
        try:
            yield self._wait(ticket, gone)
        finally:
            with self._changed:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: object, gone: Callable[[], bool]) -> bool:
        with self._changed:
            while self._line[0] is not ticket:
                self._changed.wait(0.25)
                if gone():
                    return False
        return True
