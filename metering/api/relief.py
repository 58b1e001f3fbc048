"""Relief for a database that cannot keep up: senders are told at once to come back, instead of standing in line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError

from kernel.errors import UnavailableError

#: How long the door stays shut after a request that the database did not serve; senders hear of a second too.
SHUT_SECONDS = 1.0

#: SQLSTATEs of a database that is there and has no room or no time: no disk, memory or connection left (class 53),
#: a lock not got in time, a statement that took too long.
_BUSY = ("53", "55P03", "57014")

_NO_CONNECTION_LEFT = ("too many clients", "too many connections", "remaining connection slots")

# Of this process. A float is read and written whole, so threads need no lock.
_shut_until = 0.0


class Busy(UnavailableError):
    """The database has no room or no time for this now; nothing of the request was stored."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__("The event log is busy and took nothing of this request. Send the same again after a moment")


@contextmanager
def passage() -> Iterator[None]:
    """Around a request: raises `Busy` at once while the door is shut.

    A request that waited in vain shuts it for `SHUT_SECONDS`: what stands in line behind is sent away within that
    time, and does not come to wait as long, one after the other.
    """
    global _shut_until  # noqa: PLW0603
    if time.monotonic() < _shut_until:
        raise Busy
    try:
        yield
    except OperationalError as error:
        _shut_until = time.monotonic() + SHUT_SECONDS
        state = getattr(error.__cause__, "sqlstate", None)
        # Of a connection refused libpq hands on no code, only the server's words.
        if (state or "").startswith(_BUSY) or any(words in str(error) for words in _NO_CONNECTION_LEFT):
            raise Busy from error
        raise
