"""The slowest pace at which a client may send or take what belongs to one request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from kernel.errors import TooSlowError

T = TypeVar("T")

#: Seconds that every transfer may take, and bytes of it that allow a second more each.
GRACE = 10.0
RATE = 4096


class TooSlow(TooSlowError):
    """The client sends, or takes, less than `RATE` bytes a second."""

    code = "client_too_slow"


class Pace:
    """One transfer. Only the time spent waiting for the client counts."""

    def __init__(self, *, grace: float = GRACE, rate: int = RATE) -> None:
        self._grace, self._rate = grace, rate
        self._moved, self._waited = 0, 0.0

    async def keep(self, step: Awaitable[T], *, size: int = 0) -> T:
        """The result of `step`, which moves `size` bytes; raises `TooSlow` where the client takes too long for it."""
        self._moved += size
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._grace + self._moved / self._rate - self._waited):
                return await step
        except TimeoutError:
            raise TooSlow(
                f"The request was not complete in time. Send at least {self._rate:,} bytes a second"
            ) from None
        finally:
            self._waited += time.monotonic() - began

    def moved(self, size: int) -> None:
        """Count bytes that were known only after their step."""
        self._moved += size
