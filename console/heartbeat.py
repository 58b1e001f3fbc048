"""The pulse of schedule and workers: the schedule asks for it, a worker leaves it in the broker."""

from __future__ import annotations

from datetime import UTC, datetime

import redis
from django.conf import settings

_KEY = "taximeter:heartbeat"
#: What Celery's transport calls the list of tasks that no worker has taken.
_QUEUE = "celery"


class BrokerUnavailable(Exception):
    """The broker did not answer."""


def leave_heartbeat(*, now: datetime) -> None:
    _ask("set", _KEY, f"{now.timestamp():.3f}")


def last_heartbeat() -> datetime | None:
    """When the last one was left; None where there never was one. Raises `BrokerUnavailable`."""
    found = _ask("get", _KEY)
    return None if found is None else datetime.fromtimestamp(float(found), UTC)


def tasks_in_queue() -> int:
    """Tasks that no worker has taken yet. Raises `BrokerUnavailable`."""
    return int(_ask("llen", _QUEUE) or 0)


def _ask(command: str, *arguments: str) -> bytes | int | None:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as broker:
            found: bytes | int | None = getattr(broker, command)(*arguments)
            return found
    except redis.RedisError as error:
        raise BrokerUnavailable(type(error).__name__) from None
