"""The real `anthropic` client, wrapped, against a server that answers as Anthropic does."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import anthropic
import pytest
from taximeter import InMemoryTransport, Meter
from taximeter.integrations.anthropic import wrap

from tests.sdk.openai_server import MESSAGES, SECRETS, openai_server

ASK: dict[str, Any] = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": MESSAGES}
#: 266 + 128 read from the cache + 16 written to it.
USAGE = {
    "input_tokens": 266, "cache_read_input_tokens": 128, "cache_creation_input_tokens": 16, "output_tokens": 58,
}  # fmt: skip
TOKENS = {"input_tokens": 410, "cached_input_tokens": 128, "cache_write_input_tokens": 16, "output_tokens": 58}
TOOLS: list[Any] = [{"name": name, "input_schema": {"type": "object"}} for name in ("refund", "escalate")]


def message(*, tool: str | None = None, **changes: Any) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": "secret-answer"}
    if tool:
        block = {"type": "tool_use", "id": "t1", "name": tool, "input": {"a": "secret-argument"}}
    whole = {"id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-5-5-20261001"}
    reason = "tool_use" if tool else "end_turn"
    return {**whole, "content": [block], "stop_reason": reason, "stop_sequence": None, "usage": USAGE, **changes}


def stream(*, tool: str | None = None) -> list[dict[str, Any]]:
    whole = message(tool=tool)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    block = {**whole["content"][0], **({"input": {}} if tool else {"text": ""})}
    delta: dict[str, Any] = {"type": "text_delta", "text": "secret-answer"}
    if tool:
        delta = {"type": "input_json_delta", "partial_json": '{"a": "secret-argument"}'}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 58}},
        {"type": "message_stop"},
    ]


@pytest.fixture
def server():
    with openai_server() as server:
        yield server


@pytest.fixture
def memory():
    memory = InMemoryTransport()
    yield memory
    gc.collect()
    assert not [secret for secret in SECRETS if secret in json.dumps(memory.events)], "content has left the process"


@pytest.fixture
def meter(memory):
    return Meter(source="desk", transport=memory)


@pytest.fixture
def client(server, meter):
    return wrap(anthropic.Anthropic(base_url=server.address, api_key="k"), meter=meter)


def a_task(meter: Meter) -> Any:
    return meter.task("resolve", customer="acme", agent="support@3", task_id="ticket-1")


def kinds(memory: InMemoryTransport) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in memory.events]


def calls_of(memory: InMemoryTransport, *names: str) -> list[dict[str, Any]]:
    return [{name: event["data"].get(name) for name in names} for event in memory.of_type("inference.call")]


def test_a_message_is_a_turn_with_an_inference_call_of_all_its_tokens(server, meter, client, memory):
    server.answers = [message()]
    with a_task(meter) as task:
        answer = client.messages.create(**ASK)
        task.succeed()
    assert answer.content[0].text == "secret-answer"
    assert kinds(memory) == ["call", "turn", "task"]
    assert calls_of(memory, *TOKENS) == [TOKENS]
    assert calls_of(memory, "model", "finish_reason", "operation") == [
        {"model": "claude-haiku-5-5-20261001", "finish_reason": "end_turn", "operation": "chat"}
    ]


def test_streams_helpers_raw_and_beta_calls_are_counted_once(server, meter, client, memory):
    server.answers = [stream(), stream(), message(), stream(), message(), message(), stream()]
    with a_task(meter) as task:
        assert len(list(client.messages.create(**ASK, stream=True))) == 6
        with client.messages.stream(**ASK) as gathered:
            assert gathered.get_final_text() == "secret-answer"
        assert client.messages.with_raw_response.create(**ASK).parse().usage.output_tokens == 58
        assert len(list(client.messages.with_raw_response.create(**ASK, stream=True).parse())) == 6
        client.beta.messages.create(**ASK)
        with client.messages.with_streaming_response.create(**ASK) as unread:
            assert unread.parse().usage.output_tokens == 58
        with client.messages.with_streaming_response.create(**ASK, stream=True) as unread:
            assert len(list(unread.parse())) == 6
        task.succeed()
    assert kinds(memory) == ["call", "turn"] * 7 + ["task"]
    assert calls_of(memory, *TOKENS) == [TOKENS] * 7


def test_a_stream_that_is_left_is_cancelled_with_what_it_had_read(server, meter, client, memory):
    server.answers = [stream(), stream()]
    with a_task(meter):
        with client.messages.create(**ASK, stream=True) as left:
            assert [next(left).type for _ in range(3)][-1] == "content_block_delta"
        dropped = client.messages.create(**ASK, stream=True)
        next(dropped)
        del dropped
    assert kinds(memory) == ["call", "turn", "call", "task"]
    assert calls_of(memory, "input_tokens", "output_tokens", "finish_reason") == [
        {"input_tokens": 410, "output_tokens": None, "finish_reason": "cancelled"},
        {"input_tokens": None, "output_tokens": None, "finish_reason": "cancelled"},
    ]


def test_retries_are_one_call_and_a_refused_one_is_no_turn(server, meter, client, memory):
    server.answers = [529, 500, message(), 400]
    with a_task(meter):
        client.messages.create(**ASK)
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**ASK)
    assert len(server.requests) == 4
    assert kinds(memory) == ["call", "turn", "call", "task"]
    assert calls_of(memory, "error") == [{"error": None}, {"error": "BadRequestError"}]


@pytest.mark.parametrize("streams", [False, True])
def test_tools_asked_for_are_decisions_and_results_handed_back_are_tool_calls(server, meter, memory, streams):
    client = wrap(anthropic.Anthropic(base_url=server.address, api_key="k"), meter=meter, tools=True)
    server.answers = [stream(tool="refund"), stream()] if streams else [message(tool="refund"), message()]
    said = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "refund", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "secret-result"}]}
    with a_task(meter):
        for messages in (MESSAGES, [*MESSAGES, said, result]):
            answer = client.messages.create(**{**ASK, "messages": messages}, tools=TOOLS, stream=streams)
            if streams:
                list(answer)
    assert kinds(memory) == ["call", "decision", "turn", "tool_call", "call", "turn", "task"]
    decision = memory.of_type("agent.decision")[0]
    assert (decision["data"]["choice"], decision["data"]["options"]) == ("refund", ["refund", "escalate"])
    assert memory.of_type("agent.tool_call")[0]["data"]["decision_id"] == decision["id"]


def test_async_calls_and_streams(server, meter, memory):
    client = wrap(anthropic.AsyncAnthropic(base_url=server.address, api_key="k"), meter=meter)
    server.answers = [message(), stream(), stream(), message()]

    async def work() -> None:
        async with client, a_task(meter) as task:
            await client.messages.create(**ASK)
            assert len([part async for part in await client.messages.create(**ASK, stream=True)]) == 6
            async with client.messages.stream(**ASK) as gathered:
                assert await gathered.get_final_text() == "secret-answer"
            raw = await client.with_options(max_retries=0).messages.with_raw_response.create(**ASK)
            assert raw.headers["content-type"] == "application/json"
            task.succeed()

    asyncio.run(work())
    assert kinds(memory) == ["call", "turn"] * 4 + ["task"]
    assert calls_of(memory, *TOKENS) == [TOKENS] * 4


def test_outside_of_tasks_a_call_stands_alone_and_counting_tokens_is_none(server, meter, memory):
    plain = anthropic.Anthropic(base_url=server.address, api_key="k")
    client = wrap(plain, meter=meter, customer="acme", agent="support@3", provider="anthropic")
    server.answers = [message(), {"input_tokens": 7}]
    client.messages.create(**ASK)
    client.messages.count_tokens(model="claude-haiku-5-5", messages=MESSAGES)
    assert [(event["subject"], event["data"]["provider"]) for event in memory.events] == [("acme", "anthropic")]
