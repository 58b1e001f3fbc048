"""How far an organization's log has come, known without asking the database whenever that can be helped."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

import redis
from django.conf import settings

from metering.notifications import CHANNEL
from metering.queries.positions import Position, log_positions

logger = logging.getLogger("metering")

#: After so many seconds without an announcement, the log is looked at all the same.
RECHECK = 5.0
#: However many announcements there are, it is looked at no more often than this.
PAUSE = 0.5


def read_position(organization_id: int) -> Position:
    """The organization's last transactions and newest meter."""
    return log_positions([organization_id])[organization_id]


@dataclass(frozen=True, slots=True)
class _Look:
    position: Position
    announced: int
    at: float


class Changes:
    """The positions of organizations, for all threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._announced: defaultdict[int, int] = defaultdict(int)
        self._missed = 0
        self._looks: dict[int, _Look] = {}
        self._looking: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._listener: threading.Thread | None = None

    def position(self, organization_id: int) -> Position:
        """As `read_position`, at most `PAUSE` old after an announcement and `RECHECK` in any case."""
        self._listen()
        with self._lock:
            looking = self._looking[organization_id]
            last = self._looks.get(organization_id)
        if last is not None and looking.locked():
            return last.position  # somebody is looking: no reason to wait for it
        with looking:
            last, announced, now = self._looks.get(organization_id), self._count(organization_id), time.monotonic()
            if last and now - last.at < (PAUSE if last.announced != announced else RECHECK):
                return last.position
            position = read_position(organization_id)
            self._looks[organization_id] = _Look(position, announced, now)
            return position

    def _count(self, organization_id: int) -> int:
        return self._announced[organization_id] + self._missed

    def _listen(self) -> None:
        with self._lock:
            if self._listener is None:
                self._listener = threading.Thread(target=self._hear, name="usage changes", daemon=True)
                self._listener.start()

    def _hear(self) -> None:
        while True:
            try:
                client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=10)
                with client.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(CHANNEL)
                    self._missed += 1  # what was said before is unknown
                    while True:
                        message = channel.get_message(timeout=5)
                        if message is not None:
                            self._announced[int(message["data"])] += 1
            except (redis.RedisError, OSError, ValueError) as error:
                logger.debug("Usage changes are not heard: %s", error)
                time.sleep(1)


changes = Changes()
