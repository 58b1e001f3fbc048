"""A clock for work that is dated at another time than it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta


class ElapsedClock:
    """Starts at `start` when it is made and runs as fast as `elapsed` (in seconds) does."""

    def __init__(self, start: datetime, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._start = start
        self._elapsed = elapsed
        self._began = elapsed()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed() - self._began)
