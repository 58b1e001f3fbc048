"""Time: what clock events are stamped by, and how long things took."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

from taximeter.events import milliseconds

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(timezone.utc)


class Stopwatch:
    """How long something takes. By the monotonic clock where time is the system's: a clock that is set has no effect.

    With a clock of the caller's, or a `started_at` in another process, it is the difference of two readings.
    """

    __slots__ = ("_began", "_clock", "started_at")

    def __init__(self, clock: Clock, started_at: datetime | None = None) -> None:
        self._clock = clock
        self._began = time.monotonic() if clock is system_clock and started_at is None else None
        self.started_at = started_at or clock()

    def read(self) -> tuple[datetime, int]:
        """The time now, and the whole milliseconds since the start; never less than 0."""
        now = self._clock()
        if self._began is None:
            return now, milliseconds(now - self.started_at)
        return now, int((time.monotonic() - self._began) * 1000)
