"""Telling every process, through Valkey, that an organization's usage has changed.

A notification makes live views quick and is not needed for their being right: it may get lost, and
`metering.stream` looks for itself every few seconds.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger("metering")

CHANNEL = "taximeter:usage"

#: Within so many seconds, a process tells of an organization once at most.
PAUSE = 0.2

P = ParamSpec("P")
R = TypeVar("R")


def announcing(write: Callable[P, R]) -> Callable[P, R]:
    """`write`, a service with the argument `organization_id`, whose success is announced once it is committed."""

    @wraps(write)
    def announced(*args: P.args, **kwargs: P.kwargs) -> R:
        result = write(*args, **kwargs)
        transaction.on_commit(partial(announce, int(str(kwargs["organization_id"]))), robust=True)
        return result

    return announced


def announce(organization_id: int) -> None:
    """Say that the organization's usage has changed. Takes microseconds and never fails; a thread does the rest."""
    _announcer.add(organization_id)


class _Announcer:
    """What is to be told, and the thread that tells it. The thread starts with the first announcement."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed: set[int] = set()
        self._there_is_something = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, organization_id: int) -> None:
        with self._lock:
            self._changed.add(organization_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._tell, name="usage announcements", daemon=True)
                self._thread.start()
        self._there_is_something.set()

    def _tell(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
        pause = threading.Event()
        while True:
            self._there_is_something.wait()
            self._there_is_something.clear()
            with self._lock:
                changed, self._changed = self._changed, set()
            try:
                for organization_id in changed:
                    client.publish(CHANNEL, organization_id)
            except redis.RedisError as error:
                logger.debug("Usage changes were not announced: %s", error)
            pause.wait(PAUSE)


_announcer = _Announcer()


def _start_anew() -> None:
    """A forked process has this module's lock in any state, and no thread."""
    global _announcer  # noqa: PLW0603 - it belongs to the process
    _announcer = _Announcer()


os.register_at_fork(after_in_child=_start_anew)
