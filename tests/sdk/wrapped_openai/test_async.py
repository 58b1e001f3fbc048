"""The wrapped async client of `openai`."""

from __future__ import annotations

import asyncio

import openai
import pytest

from tests.sdk.openai_server import EMBEDDINGS, chunks, completion
from tests.sdk.wrapped_openai.conftest import ASK, a_task, call_of, kinds, picked


def test_async_calls_streams_and_errors(server, meter, async_client, memory):
    server.answers = [completion(), chunks(), 400, chunks(), EMBEDDINGS, completion(), chunks()]

    async def work() -> None:
        async with async_client, a_task(meter) as task:
            await async_client.chat.completions.create(**ASK)
            stream = await async_client.chat.completions.create(**ASK, stream=True)
            assert len([part async for part in stream]) == 3
            with pytest.raises(openai.BadRequestError):
                await async_client.chat.completions.create(**ASK)
            async with await async_client.chat.completions.create(**ASK, stream=True) as left:
                assert (await anext(left)).choices
            await async_client.embeddings.create(model="text-embedding-3-small", input="secret-prompt")
            raw = await async_client.chat.completions.with_raw_response.create(**ASK)
            assert raw.parse().usage.prompt_tokens == 410
            async with async_client.chat.completions.with_streaming_response.create(**ASK, stream=True) as unread:
                assert len([part async for part in await unread.parse()]) == 3
            task.succeed()

    asyncio.run(work())
    assert kinds(memory) == [
        "call", "turn", "call", "turn", "call", "call", "turn", "call", "call", "turn", "call", "turn", "task",
    ]  # fmt: skip
    told = [event["data"].get("input_tokens") for event in memory.of_type("inference.call")]
    assert told == [410, 410, None, None, 7, 410, 410]


def test_a_cancelled_call_is_cancelled_and_no_turn(server, meter, async_client, memory):
    async def work() -> None:
        with a_task(meter):
            await asyncio.wait_for(async_client.with_options(max_retries=0).chat.completions.create(**ASK), 0.001)

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    assert kinds(memory) == ["call", "task"]
    assert picked(call_of(memory), "finish_reason", "error") == {"finish_reason": "cancelled", "error": None}


def test_tasks_side_by_side_keep_their_own_calls(server, meter, async_client, memory):
    server.answers = [completion()] * 20

    async def work(number: int) -> None:
        async with meter.task("t", customer=f"c{number}", agent="a", task_id=f"task-{number}") as task:
            for _ in range(2):
                await async_client.chat.completions.create(**ASK)
            task.succeed()

    async def all_of_them() -> None:
        await asyncio.gather(*(work(number) for number in range(10)))

    asyncio.run(all_of_them())
    calls = memory.of_type("inference.call")
    assert sorted(event["id"] for event in calls) == sorted(
        f"task-{task}/turn-{turn}/inference-1" for task in range(10) for turn in (1, 2)
    )
    assert all(event["subject"] == event["data"]["task_id"].replace("task-", "c") for event in calls)
