"""The shares of a line: organizations take turns, whatever one of them sends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.line import Caller, Line, Overloaded


class Queue:
    """A line with one place, held, whose waiting requests are tasks of an event loop that note when they are served."""

    def __init__(self, *, most_waiting: int = 1000) -> None:
        self.line = Line(["place"], most_waiting=most_waiting, longest_wait=1e6)
        self.served: list[Caller] = []
        self.refused: list[Caller] = []
        self._place = self.line.enter(Caller("holder"))
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, *callers: Caller) -> None:
        for caller in callers:
            self._tasks.append(asyncio.create_task(self._wait(caller)))
            await asyncio.sleep(0)

    async def work(self) -> None:
        """Let all of them have their turns."""
        self.line.leave(self._place, held_since=time.monotonic())
        await asyncio.gather(*self._tasks)

    async def _wait(self, caller: Caller) -> None:
        try:
            place = await self.line.admit(caller)
        except Overloaded:
            self.refused.append(caller)
            return
        self.served.append(caller)
        self.line.leave(place, held_since=time.monotonic())


def callers(text: str) -> list[Caller]:
    """`a1 b1`: of the organization a by its key 1, of b by its key 1."""
    return [Caller(word[0], word[1:]) for word in text.split()]


def test_organizations_take_turns_and_keys_of_one_take_turns_within_it() -> None:
    async def run() -> Queue:
        queue = Queue()
        await queue.come(*callers("a1 a1 a1 a1 a2 b1 b1 c1"))
        await queue.work()
        return queue

    assert asyncio.run(run()).served == callers("a1 b1 c1 a2 b1 a1 a1 a1")


def test_a_full_line_gives_room_to_an_organization_with_less_in_it() -> None:
    async def run() -> Queue:
        queue = Queue(most_waiting=4)
        await queue.come(*callers("a1 a1 a2 a1"))
        await queue.come(*callers("a3 b1 b1 b1"))  # refused, in for an a1, in for another, refused
        await queue.work()
        return queue

    queue = asyncio.run(run())
    assert sorted(queue.refused) == callers("a1 a1 a3 b1")
    assert queue.served == callers("a1 b1 a2 b1")


def test_visitors_together_have_the_share_of_one_organization() -> None:
    async def run() -> list[Caller]:
        queue = Queue()
        await queue.come(*(Caller("visitors", f"192.0.2.{number}") for number in range(100)))
        await queue.come(*callers("a1 a1 a1"))
        await queue.work()
        return queue.served

    served = asyncio.run(run())
    assert [served.index(caller) for caller in callers("a1")] == [1]
    assert served[:6:2] == [Caller("visitors", f"192.0.2.{number}") for number in range(3)]
    assert served[1:6:2] == callers("a1 a1 a1")


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("123")), max_size=40))
def test_every_request_is_served_once_and_no_organization_waits_for_two_turns_of_another(
    coming: list[tuple[str, str]],
) -> None:
    async def run() -> list[Caller]:
        queue = Queue()
        await queue.come(*(Caller(*one) for one in coming))
        await queue.work()
        return queue.served

    served = asyncio.run(run())
    assert sorted(served) == sorted(Caller(*one) for one in coming)
    for group in {one.group for one in served}:
        turns = [place for place, one in enumerate(served) if one.group == group]
        for earlier, later in zip([-1, *turns], turns, strict=False):
            between = [one.group for one in served[earlier + 1 : later]]
            assert len(between) == len(set(between)), (group, served)


def test_the_last_places_are_for_those_who_hold_none() -> None:
    line = Line(["1", "2", "3"], most_waiting=0, longest_wait=1.0, reserve=1)
    busy, other = Caller("a"), Caller("b")
    held = [line.enter(busy), line.enter(busy)]
    with pytest.raises(Overloaded):
        line.enter(busy)
    reserved = line.enter(other)
    line.leave(held[0], held_since=time.monotonic())
    for one in (busy, other):
        with pytest.raises(Overloaded):
            line.enter(one)
    assert line.enter(Caller("c")) == held[0]
    line.leave(reserved, held_since=time.monotonic())
    line.leave(held[1], held_since=time.monotonic())
    assert {line.enter(busy), line.enter(Caller("d"))} == {reserved, held[1]}


def test_a_request_that_left_its_place_for_a_while_comes_back_before_those_who_wait() -> None:
    line = Line(["place"], most_waiting=1, longest_wait=1000.0)
    place = line.enter(Caller("a", "1"))
    served: list[str] = []

    def come(name: str, *, returning: bool) -> threading.Thread:
        def wait() -> None:
            got = line.enter(Caller("a", "1"), returning=returning)
            served.append(name)
            line.leave(got, held_since=time.monotonic())

        thread = threading.Thread(target=wait)
        thread.start()
        return thread

    threads = []
    for number, (name, returning) in enumerate([("new", False), ("returning", True)], start=1):
        threads.append(come(name, returning=returning))
        while line.waiting < number:
            time.sleep(0.005)
    with pytest.raises(Overloaded):
        line.enter(Caller("a", "1"))
    line.leave(place, held_since=time.monotonic())
    for thread in threads:
        thread.join(20)
    assert served == ["returning", "new"]


def test_a_request_that_is_called_off_while_it_waits_takes_no_place() -> None:
    async def run() -> str:
        line = Line(["place"], most_waiting=5, longest_wait=1000.0)
        place = line.enter()
        waiting = asyncio.create_task(line.admit(Caller("a")))
        while not line.waiting:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert line.waiting == 0
        line.leave(place, held_since=time.monotonic())
        return await line.admit(Caller("b"))

    assert asyncio.run(run()) == "place"
