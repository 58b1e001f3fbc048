"""Limits of requests by API key, where the operator sets one.

A bucket in Valkey for each key, shared by all web servers, that fills evenly. Its state is answered in the headers
`RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import asyncio
import logging
import math

import redis
from redis.asyncio import Redis

from kernel.errors import TooManyError
from rest.line import Caller

logger = logging.getLogger(__name__)

_WINDOW = 60
_PATIENCE = 0.5

#: Takes one from the bucket of ARGV[1] in ARGV[2] seconds; answers whether there was one, and how many are left.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local most, rate = tonumber(ARGV[1]), ARGV[1] / ARGV[2]
local found = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = math.min(most, (tonumber(found[1]) or most) + (now - (tonumber(found[2]) or now)) * rate)
local taken = 0
if left >= 1 then
  left, taken = left - 1, 1
end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], ARGV[2] * 2)
return {taken, tostring(left)}
"""


class TooManyRequests(TooManyError):
    """The API key has used up its requests. `wait`: seconds until the next; `headers` go with the refusal."""

    code = "rate_limited"

    def __init__(self, detail: str, *, wait: int, headers: list[tuple[str, str]]) -> None:
        super().__init__(detail)
        self.wait, self.headers = wait, headers


class RequestLimit:
    """`per_minute` requests a minute for each API key, as many of them at once as are left."""

    def __init__(self, per_minute: int, *, redis_url: str) -> None:
        self._per_minute = per_minute
        self._valkey: Redis = Redis.from_url(
            redis_url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, max_connections=64
        )

    async def take(self, caller: Caller) -> list[tuple[str, str]]:
        """One request of `caller`: the headers for its answer, none for one without a key. Raises `TooManyRequests`.

        Where Valkey does not answer, the request is let in: a limit is no reason for an outage.
        """
        if not caller.member.startswith("key "):
            return []
        try:
            async with asyncio.timeout(2 * _PATIENCE):
                answer = await self._valkey.eval(
                    _TAKE, 1, f"taximeter:requests:{caller.member[4:]}", str(self._per_minute), str(_WINDOW)
                )
        except (redis.RedisError, OSError, TimeoutError) as error:
            logger.warning("request limits are not applied: %s", error)
            return []
        taken, left = int(answer[0]), float(answer[1])
        rate = self._per_minute / _WINDOW
        headers = ratelimit_headers(
            self._per_minute, left=int(left), seconds=math.ceil((self._per_minute - left) / rate)
        )
        if taken:
            return headers
        wait = max(1, math.ceil((1 - left) / rate))
        raise TooManyRequests(
            f"This API key may send {self._per_minute:,} requests a minute. Send the same again in {wait} s",
            wait=wait,
            headers=headers,
        )


def ratelimit_headers(quota: int, *, left: int, seconds: int) -> list[tuple[str, str]]:
    """The two headers: `quota` requests in a window of 60 s, `left` of them, all there again in `seconds`."""
    return [
        ("RateLimit-Policy", f'"key";q={quota};w={_WINDOW}'),
        ("RateLimit", f'"key";r={left};t={seconds}'),
    ]
