"""Answers shared between processes through Valkey for as long as they may stand.

Without Valkey every process finds its own: more work, and as right.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable
from functools import cached_property

import msgspec
import redis
from django.conf import settings

from metering.queries.positions import Position

logger = logging.getLogger("metering")

_TIMEOUT = 0.5
#: For so many seconds at most one process finds an answer while the others show the one before.
_TURN = 5.0


class Found(msgspec.Struct, array_like=True):
    """An answer, the position of the log it was found at, and the seconds it took."""

    body: bytes
    position: Position
    took: float


class Shared:
    def get(self, key: Hashable) -> tuple[Found, float] | None:
        """An answer that somebody found and that may stand, and for how many seconds more."""
        name = _name("answer", key)
        try:
            both = self._client.pipeline(transaction=False)
            both.get(name)
            both.pttl(name)
            stored, left = both.execute()
        except redis.RedisError as error:
            logger.debug("No shared answers: %s", error)
            return None
        return (msgspec.msgpack.decode(stored, type=Found), max(left, 0) / 1000) if stored else None

    def put(self, key: Hashable, found: Found, *, seconds: float) -> None:
        try:
            self._client.set(_name("answer", key), msgspec.msgpack.encode(found), px=int(seconds * 1000))
            self._client.delete(_name("turn", key))
        except redis.RedisError as error:
            logger.debug("No shared answers: %s", error)

    def is_my_turn(self, key: Hashable) -> bool:
        """Whether this process is the one to find the answer."""
        try:
            return bool(self._client.set(_name("turn", key), b"1", nx=True, px=int(_TURN * 1000)))
        except redis.RedisError:
            return True

    @cached_property
    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)


def _name(kind: str, key: Hashable) -> str:
    return f"taximeter:{kind}:{hashlib.sha256(repr(key).encode()).hexdigest()}"
