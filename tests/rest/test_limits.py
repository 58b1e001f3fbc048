"""Limits of requests by API key, in the one Valkey that all web servers share."""

from __future__ import annotations

import asyncio
import json

import pytest
from google.rpc import status_pb2

from config.limits import RequestLimit, TooManyRequests, ratelimit_headers
from inference.facade import openai_refusal
from metering.facade import otlp_refusal
from rest.line import Caller


def test_a_key_has_so_many_requests_and_others_have_their_own(redis_url: str) -> None:
    async def run() -> None:
        ours, elsewhere = (RequestLimit(3, redis_url=redis_url) for _ in range(2))  # two web servers
        key, other = Caller("organization 1", "key 1"), Caller("organization 1", "key 2")
        left = [dict(await one.take(key))["RateLimit"] for one in (ours, elsewhere, ours)]
        assert [text.partition(";t=")[0] for text in left] == ['"key";r=2', '"key";r=1', '"key";r=0']
        with pytest.raises(TooManyRequests) as refused:
            await elsewhere.take(key)
        # One comes back every 20 seconds.
        assert 1 <= refused.value.wait <= 20
        headers = dict(refused.value.headers)
        assert headers["RateLimit-Policy"] == '"key";q=3;w=60'
        assert headers["RateLimit"].startswith('"key";r=0;t=')
        assert dict(await ours.take(other))["RateLimit"].startswith('"key";r=2;t=')
        assert await ours.take(Caller("visitors", "192.0.2.1")) == []

    asyncio.run(run())


def test_requests_come_back_evenly(redis_url: str) -> None:
    async def run() -> None:
        limit, key = RequestLimit(6000, redis_url=redis_url), Caller("organization 2", "key 3")  # one every 10 ms
        for _ in range(3):
            await limit.take(key)
        await asyncio.sleep(0.1)
        assert dict(await limit.take(key))["RateLimit"] == '"key";r=5999;t=1'

    asyncio.run(run())


def test_without_valkey_nothing_is_limited() -> None:
    limit = RequestLimit(1, redis_url="unix:///nowhere/valkey.sock")
    for _ in range(2):
        assert asyncio.run(limit.take(Caller("organization 1", "key 1"))) == []


def test_every_kind_of_client_is_refused_in_its_own_words_and_told_when_to_come_back() -> None:
    error = TooManyRequests("Too many", wait=7, headers=ratelimit_headers(600, left=0, seconds=60))
    openai = openai_refusal(error, {})
    assert (openai.status_code, openai["Retry-After"]) == (429, "7")
    assert json.loads(openai.content)["error"]["type"] == "rate_limit_error"
    otlp = otlp_refusal(error, {"CONTENT_TYPE": "application/x-protobuf"})
    assert (otlp.status_code, otlp["Retry-After"]) == (429, "7")
    assert status_pb2.Status.FromString(otlp.content).code == 8  # RESOURCE_EXHAUSTED
