"""Who asks, learnt with few queries however many ask."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from config.callers import VISITORS, Lookup, Unknown, visitor
from rest.line import Caller


class Questions:
    """Answers even numbers with their halves; waits for `go_on` before each answer."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.go_on = threading.Semaphore(0)
        self.is_away = False

    def __call__(self, numbers: list[int]) -> dict[int, int]:
        self.asked.append(sorted(numbers))
        assert self.go_on.acquire(timeout=30)
        if self.is_away:
            raise OperationalError("away")
        return {number: number // 2 for number in numbers if number % 2 == 0}


def test_all_that_ask_meanwhile_share_one_query_and_known_ones_need_none() -> None:
    async def run() -> None:
        questions = Questions()
        lookup = Lookup(questions, ThreadPoolExecutor(1))
        first = asyncio.create_task(lookup.find(2))
        while not questions.asked:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(lookup.find(number)) for number in (2, 3, 4, 5, 4, 3)]
        await asyncio.sleep(0)
        questions.go_on.release(2)
        assert await asyncio.gather(first, *others) == [1, 1, None, 2, None, 2, None]
        assert questions.asked == [[2], [3, 4, 5]]
        assert [await lookup.find(number) for number in (2, 3, 4)] == [1, None, 2]
        assert len(questions.asked) == 2

    asyncio.run(run())


def test_a_database_that_is_away_is_asked_again_the_next_time() -> None:
    async def run() -> None:
        questions = Questions()
        lookup = Lookup(questions, ThreadPoolExecutor(1))
        questions.is_away = True
        questions.go_on.release(2)
        with pytest.raises(Unknown):
            await lookup.find(2)
        questions.is_away = False
        assert await lookup.find(2) == 1

    asyncio.run(run())


def test_visitors_are_told_apart_by_address() -> None:
    assert visitor({"REMOTE_ADDR": "203.0.113.7"}) == Caller(VISITORS, "203.0.113.7")
    assert visitor({"REMOTE_ADDR": "127.0.0.1"}) == Caller(VISITORS, "127.0.0.1")
    assert visitor({"REMOTE_ADDR": "2a02:8109:1:2::3"}) == visitor({"REMOTE_ADDR": "2a02:8109:1:2::4"})
