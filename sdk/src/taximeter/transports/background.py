"""What the transports that send in the background share: their thread, and their part in a process's life."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Literal

from taximeter.delivery.door import Door
from taximeter.delivery.outbox import Outbox
from taximeter.delivery.sender import Progress, Sender, Waits

logger = logging.getLogger("taximeter")

#: What to do with an event for which there is no room.
WhenFull = Literal["drop_oldest", "block", "raise"]

_made: weakref.WeakSet[BackgroundTransport] = weakref.WeakSet()
#: Those that have something to send at the end, even if nobody else remembers them.
_running: set[BackgroundTransport] = set()


@dataclass(frozen=True)
class Stats:
    """Counts since this process began. `problem` is why nothing goes out at the moment, or None.

    `stored` and `duplicates` are what the server answered; `refused` was set aside, with its reason;
    `quarantined` is kept by the server and counts once somebody releases it there; `lost` was
    dropped for want of room; `torn` are pieces of records that a kill left behind.
    """

    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    quarantined: int = 0
    lost: int = 0
    torn: int = 0
    requests: int = 0
    problem: str | None = None


class BackgroundTransport:
    """Takes events as they are recorded and sends them from a thread of its own.

    A forked child starts with nothing of its parent's: what the parent recorded, the parent sends. At the
    process's end what is left is sent for `exit_timeout` seconds at most.
    """

    holds_tasks = False

    def __init__(
        self,
        address: str,
        *,
        api_key: str,
        when_full: WhenFull,
        block_seconds: float,
        timeout: float,
        exit_timeout: float,
        waits: Waits | None,
    ) -> None:
        if when_full not in ("drop_oldest", "block", "raise"):
            raise ValueError(f"when_full is drop_oldest, block or raise, not {when_full!r}")
        self.door = Door(address, api_key=api_key, timeout=timeout)
        self.when_full = when_full
        self._block_seconds = block_seconds
        self._exit_timeout = exit_timeout
        self._waits = waits
        self._sender: Sender | None = None
        self._progress = Progress()
        self._starting = threading.RLock()
        self._is_forked = False
        self._complained_at = float("-inf")
        _made.add(self)

    @property
    def address(self) -> str:
        """The server events go to."""
        return self.door.address

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all that this process has recorded is stored or set aside; whether it is, in time."""
        return self._started().flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """`flush`, then ends the thread. What is recorded afterwards starts anew. Whether all was delivered."""
        done = self.flush(self._exit_timeout if timeout is None else timeout)
        with self._starting:
            sender, self._sender = self._sender, None
            _running.discard(self)
            if sender is not None:
                sender.stop(min(1.0, self._exit_timeout))
            self._release()
        return done

    def _make_outbox(self) -> Outbox:
        raise NotImplementedError

    def _release(self) -> None:
        """Lets go of what the outbox holds."""

    def _forget(self) -> None:
        """Lets go of it in a forked child, where it is the parent's."""

    def _started(self) -> Sender:
        with self._starting:
            if self._sender is None:
                if self._is_forked:
                    self._finalize_with_multiprocessing()
                self._sender = Sender(self._make_outbox(), self.door.post, waits=self._waits, progress=self._progress)
                _running.add(self)
            self._sender.start()
            return self._sender

    def _finalize_with_multiprocessing(self) -> None:
        """A forked child of multiprocessing ends without atexit; this is what it runs instead."""
        self._is_forked = False
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, _close_all, exitpriority=0)

    def _complain(self, message: str, *details: object) -> None:
        """Logs an error, but not more than once in ten seconds: it may concern each of many events."""
        now = time.monotonic()
        if now - self._complained_at >= 10:
            self._complained_at = now
            logger.error(message, *details)

    def _at_exit(self) -> None:
        try:
            if self._sender is not None and not self.close():
                logger.warning("the process ends with events that are not delivered: %s", self._what_is_left())
        except Exception:
            logger.exception("what was recorded could not be sent at exit")

    def _what_is_left(self) -> str:
        raise NotImplementedError

    def _after_fork_in_child(self) -> None:
        self._starting = threading.RLock()
        self._forget()
        self._sender = None
        self._progress = Progress()
        self._is_forked = True


def _close_all() -> None:
    for transport in list(_running):
        transport._at_exit()


def _after_fork_in_child() -> None:
    _running.clear()
    for transport in list(_made):
        transport._after_fork_in_child()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
