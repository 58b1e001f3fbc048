"""Bodies as they arrive: in time or not, and as many as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import pytest

from kernel.errors import MalformedError
from rest import bodies
from rest.bodies import MAX_BYTES, Bodies, BodyTooLarge
from rest.line import Caller, Overloaded
from rest.pace import Pace, TooSlow

A, B = Caller("a", "1"), Caller("b", "1")


class Body:
    """What a client sends: `pieces`, then the end, or nothing more until `end` is set."""

    def __init__(self, *pieces: bytes, is_open: bool = False) -> None:
        self._pieces: Sequence[bytes] = pieces
        self.end = asyncio.Event()
        if not is_open:
            self.end.set()

    async def __call__(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        await self.end.wait()


def chunked() -> dict[str, Any]:
    return {"HTTP_TRANSFER_ENCODING": "chunked"}


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


async def started(*tasks: asyncio.Task[Any]) -> None:
    for _ in range(10):
        await asyncio.sleep(0)
    for task in tasks:
        if task.done():
            task.result()


def test_a_body_is_where_its_sender_was() -> None:
    async def test() -> None:
        holder = Bodies()
        known = {"CONTENT_LENGTH": "5"}
        assert await holder.take(known, Body(b"he", b"llo"), A) == 0
        assert known["wsgi.input"].read() == b"hello"
        environ = chunked()
        held = await holder.take(environ, Body(*[b"x" * 50_000] * 3), A)
        assert (held, environ["CONTENT_LENGTH"], len(environ["wsgi.input"].read())) == (150_000, "150000", 150_000)
        none: dict[str, Any] = {}
        assert await holder.take(none, Body(), A) == 0
        assert none["wsgi.input"].read() == b""

    run(test)


def test_a_short_body_and_one_that_breaks_off_are_malformed() -> None:
    class Broken(Body):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x"
            raise RuntimeError("as RSGI has it")

    async def test() -> None:
        for environ, body in (
            ({"CONTENT_LENGTH": "100000"}, Body(b"x" * 70_000)),
            ({"CONTENT_LENGTH": "5"}, Broken()),
            (chunked(), Broken()),
        ):
            with pytest.raises(MalformedError) as refused:
                await Bodies().take(environ, body, A)
            assert refused.value.code == "body_incomplete"

    run(test)


def test_a_body_that_is_too_large_is_refused_when_it_is_looked_at() -> None:
    async def test() -> None:
        holder, environ = Bodies(), chunked()
        assert await holder.take(environ, Body(*[b"x" * 2**20] * 17), A) == 0
        with pytest.raises(BodyTooLarge):
            environ["wsgi.input"].read()
        # What was read of it is forgotten: as much as before fits.
        assert await holder.take(chunked(), Body(b"x" * MAX_BYTES), A) == MAX_BYTES

    run(test)


def test_one_organization_does_not_take_all_the_memory() -> None:
    async def test() -> None:
        holder = Bodies()
        held = [await holder.take(chunked(), Body(b"x" * MAX_BYTES), A) for _ in range(3)]
        with pytest.raises(Overloaded):
            await holder.take(chunked(), Body(b"x" * 70_000), A)
        assert await holder.take(chunked(), Body(b"x" * 60_000), A) == 0  # small ones do not count
        assert await holder.take(chunked(), Body(b"x" * MAX_BYTES), B) == MAX_BYTES
        with pytest.raises(Overloaded):
            await holder.take(chunked(), Body(b"x" * 70_000), B)
        holder.release(held[0], A)
        assert await holder.take(chunked(), Body(b"x" * 70_000), Caller("c")) == 70_000

    run(test)


def test_the_oldest_body_of_a_caller_with_too_many_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_OF_A_MEMBER", 2)
    monkeypatch.setattr(bodies, "MOST_OF_A_GROUP", 3)

    async def test() -> None:
        holder, sources = Bodies(), [Body(b"x", is_open=True) for _ in range(5)]
        keys = [Caller("a", "1"), Caller("a", "1"), Caller("a", "1"), Caller("a", "2"), B]
        tasks = []
        for source, caller in zip(sources, keys, strict=True):
            tasks.append(asyncio.create_task(holder.take(chunked(), source, caller)))
            await asyncio.sleep(0.01)
        with pytest.raises(TooSlow):
            await tasks[0]  # for the third of the key
        fifth = asyncio.create_task(holder.take(chunked(), source := Body(is_open=True), Caller("a", "3")))
        with pytest.raises(TooSlow):
            await tasks[1]  # for the fourth of the organization
        for one in (*sources, source):
            one.end.set()
        assert await asyncio.gather(tasks[2], tasks[3], tasks[4], fifth) == [0, 0, 0, 0]

    run(test)


def test_a_transfer_below_its_pace_ends_and_one_above_goes_on() -> None:
    async def test() -> None:
        pace = Pace(grace=0.05, rate=1000)
        pace.moved(10_000)
        await pace.keep(asyncio.sleep(0.2))
        slow = Pace(grace=0.05, rate=1000)
        with pytest.raises(TooSlow) as refused:
            await slow.keep(asyncio.Event().wait())
        assert refused.value.code == "client_too_slow"

    run(test)


def test_a_refused_sender_is_listened_to_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_LINGER", 0.05)

    async def test() -> None:
        holder = Bodies()
        endless = Body(b"x", is_open=True)
        await holder.throw_away(chunked(), endless)
        asked = asyncio.create_task(holder.throw_away(chunked() | {"HTTP_EXPECT": "100-continue"}, endless))
        await started(asked)
        assert asked.done()
        with suppress(asyncio.CancelledError):
            await asked

    run(test)
