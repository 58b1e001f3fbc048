"""What was found out a moment ago and may still be believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """Values that are forgotten after `seconds`, and all at once when there would be more than `most`."""

    def __init__(self, *, seconds: float, most: int = 10_000) -> None:
        self.seconds, self.most = seconds, most
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[float, V]] = {}

    def get(self, key: Hashable) -> V | None:
        found = self._values.get(key)
        return None if found is None or time.monotonic() > found[0] else found[1]

    def keep(self, key: Hashable, value: V) -> V:
        with self._lock:
            if len(self._values) >= self.most:
                self._values.clear()
            self._values[key] = (time.monotonic() + self.seconds, value)
        return value

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._values.pop(key, None)

    def forget_all(self) -> None:
        with self._lock:
            self._values.clear()
