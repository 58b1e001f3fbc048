"""Starts the engine again where it was killed or crashed, in the time that its model takes to load.

The engine is a child of the process that keeps it. That process has imported everything and holds nothing else: no
model, as one that was loaded before a fork hangs in the child, no thread and no connection.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from types import FrameType

from launcher.shim import die_with_parent

logger = logging.getLogger("inference.engine")

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_READY = b"."

#: Serves until told to stop, saying when it has begun to; returns the exit status.
Serve = Callable[[Callable[[], None]], int]


def keep_serving(serve: Serve) -> int:
    """Runs `serve` in a child, and again where that was ended by a signal after it had begun to serve.

    Returns the exit status of a child that ended by itself, that was told to stop, or that died before it served.
    """
    keeper = _Keeper()
    while True:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _be_the_engine(serve, write)
        os.close(write)
        keeper.keep(child)
        _, status = os.waitpid(child, 0)
        keeper.let_go()
        with os.fdopen(read, "rb") as told:
            was_ready = told.read(1) == _READY
        code = os.waitstatus_to_exitcode(status)
        if code >= 0 or keeper.is_stopping or not was_ready:
            return code if code >= 0 else 128 - code
        logger.error("the engine was ended by %s; starting it again", signal.Signals(-code).name)


class _Keeper:
    """Passes on to the engine what asks this process to stop."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._child: int | None = None
        for number in _STOPPING:
            signal.signal(number, self._pass_on)

    def keep(self, child: int) -> None:
        self._child = child
        if self.is_stopping:  # asked in the moment between
            os.kill(child, signal.SIGTERM)

    def let_go(self) -> None:
        self._child = None

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True
        if self._child is not None:
            os.kill(self._child, number)


def _be_the_engine(serve: Serve, write: int) -> None:
    """The child's life; it ends here."""
    status = 1
    try:
        for number in _STOPPING:
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(signal.SIGKILL)
        status = serve(lambda: _tell(write))
    finally:
        # Leaving without llama.cpp's destructors: they can hang, and the system frees all of it anyway.
        os._exit(status)


def _tell(write: int) -> None:
    os.write(write, _READY)
