"""The real `openai` client, wrapped, against a server that answers as OpenAI does."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from taximeter import HttpTransport, InMemoryTransport, Meter
from taximeter.integrations.openai import wrap

from tests.sdk.openai_server import (
    EMBEDDINGS,
    MESSAGES,
    SECRETS,
    TOOLS,
    USAGE,
    chunks,
    completion,
    openai_server,
    response,
)

ASK: dict[str, Any] = {"model": "gpt-5-mini", "messages": MESSAGES}
TOKENS = {"input_tokens": 410, "output_tokens": 58, "cached_input_tokens": 128, "reasoning_tokens": 20}


@pytest.fixture
def server():
    with openai_server() as server:
        yield server


@pytest.fixture
def memory():
    memory = InMemoryTransport()
    yield memory
    gc.collect()
    sent = json.dumps(memory.events)
    assert not [secret for secret in SECRETS if secret in sent], "content has left the process"


@pytest.fixture
def meter(memory):
    return Meter(source="desk", transport=memory)


@pytest.fixture
def client(server, meter):
    return wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter)


@pytest.fixture
def async_client(server, meter):
    return wrap(openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter)


def a_task(meter: Meter, **more: Any) -> Any:
    return meter.task("resolve", customer="acme", agent="support@3", task_id="ticket-1", **more)


def kinds(memory: InMemoryTransport) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in memory.events]


def call_of(memory: InMemoryTransport) -> dict[str, Any]:
    [call] = memory.of_type("inference.call")
    return call["data"]


def picked(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: data.get(name) for name in names}


def test_a_chat_completion_is_a_turn_with_an_inference_call(server, meter, client, memory):
    server.answers = [completion()]
    with a_task(meter) as task:
        answer = client.chat.completions.create(**ASK)
        task.succeed()
    assert answer.choices[0].message.content == "secret-answer"
    assert [(event["type"], event["id"], event["subject"]) for event in memory.events] == [
        ("inference.call", "ticket-1/turn-1/inference-1", "acme"),
        ("agent.turn", "ticket-1/turn-1", "acme"),
        ("agent.task", "ticket-1/task", "acme"),
    ]
    call = call_of(memory)
    assert picked(call, *TOKENS) == TOKENS
    assert picked(call, "model", "operation", "finish_reason", "turn_id", "agent", "agent_version") == {
        "model": "gpt-5-mini-2026-01-01", "operation": "chat", "finish_reason": "stop",
        "turn_id": "ticket-1/turn-1", "agent": "support", "agent_version": "3",
    }  # fmt: skip
    assert memory.of_type("agent.task")[0]["data"]["turns"] == 1


def test_the_same_work_done_again_under_its_id_gives_the_same_identities(server, meter, client, memory):
    for _ in range(2):
        server.answers = [completion(), completion()]
        with a_task(meter) as task:
            client.chat.completions.create(**ASK)
            client.chat.completions.create(**ASK)
            task.succeed()
    ids = [event["id"] for event in memory.events]
    assert ids[:5] == ids[5:]
    assert len(set(ids)) == 5


def test_in_the_block_of_a_turn_it_is_a_call_of_that_turn(server, meter, client, memory):
    server.answers = [completion(), completion()]
    with a_task(meter) as task, task.turn("ticket-1/first", channel="mail"):
        client.chat.completions.create(**ASK)
        client.chat.completions.create(**ASK)
    assert kinds(memory) == ["call", "call", "turn", "task"]
    assert {event["data"].get("turn_id") for event in memory.events[:3]} == {"ticket-1/first"}


def test_outside_of_tasks_a_call_stands_alone(server, meter, memory):
    client = wrap(
        openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"),
        meter=meter,
        customer=lambda: "acme",
        agent="support@3",
    )
    server.answers = [completion(), chunks()]
    client.chat.completions.create(**ASK)
    list(client.chat.completions.create(**ASK, stream=True))
    assert kinds(memory) == ["call", "call"]
    assert {(event["subject"], event["data"]["agent_version"]) for event in memory.events} == {("acme", "3")}
    assert len({event["id"] for event in memory.events}) == 2


@pytest.mark.parametrize("asked", [None, True, False])
def test_a_stream_is_asked_for_its_usage_and_shows_what_its_reader_asked_for(server, meter, client, memory, asked):
    server.answers = [chunks()]
    options = {} if asked is None else {"stream_options": {"include_usage": asked}}
    with a_task(meter) as task:
        parts = list(client.chat.completions.create(**ASK, **options, stream=True))
        task.succeed()
    assert server.bodies[0]["stream_options"] == {"include_usage": asked is not False}
    assert [bool(part.choices) for part in parts] == [True, True, True] + [False] * (asked is True)
    assert kinds(memory) == ["call", "turn", "task"]
    expected = TOKENS if asked is not False else dict.fromkeys(TOKENS)
    assert picked(call_of(memory), *TOKENS) == expected
    assert call_of(memory)["finish_reason"] == "stop"


def test_other_stream_options_of_the_caller_stay(server, meter, client, memory):
    server.answers = [chunks(), chunks()]
    with a_task(meter):
        list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_obfuscation": False}))
        list(client.chat.completions.create(**ASK, stream=True, extra_body={"stream_options": {"x": 1}}))
    assert [body["stream_options"] for body in server.bodies] == [
        {"include_obfuscation": False, "include_usage": True},
        {"x": 1, "include_usage": True},
    ]
    assert [event["data"]["input_tokens"] for event in memory.of_type("inference.call")] == [410, 410]


def test_a_reader_who_stops_at_the_last_word_is_counted_whole(server, meter, client, memory):
    server.answers = [chunks()]
    with a_task(meter):
        for part in client.chat.completions.create(**ASK, stream=True):
            if part.choices[0].finish_reason:
                break
        assert memory.events == []  # held until the task ends
    assert picked(call_of(memory), *TOKENS) == TOKENS


def test_a_reader_who_leaves_early_has_begun_a_turn_of_unknown_tokens(server, meter, client, memory):
    server.answers = [chunks()]
    with a_task(meter), client.chat.completions.create(**ASK, stream=True) as stream:
        assert next(stream).choices
    assert kinds(memory) == ["call", "turn", "task"]
    assert picked(call_of(memory), "input_tokens", "finish_reason", "error") == {
        "input_tokens": None, "finish_reason": "cancelled", "error": None,
    }  # fmt: skip


def test_a_stream_nobody_read_is_no_turn(server, meter, client, memory):
    server.answers = [chunks()]
    with a_task(meter):
        client.chat.completions.create(**ASK, stream=True).close()
    assert kinds(memory) == ["call", "task"]


def test_a_stream_that_breaks_off_is_an_error_its_reader_gets(server, meter, client, memory):
    server.answers = [[*chunks()[:2], None]]
    with a_task(meter) as task:
        with pytest.raises(openai.APIConnectionError):
            list(client.chat.completions.create(**ASK, stream=True))
        task.fail()
    assert kinds(memory) == ["call", "turn", "task"]
    assert picked(call_of(memory), "finish_reason", "error") == {
        "finish_reason": "error", "error": "APIConnectionError",
    }  # fmt: skip


def test_a_stream_read_on_after_its_task_is_still_its_customers(server, meter, client, memory):
    server.answers = [chunks()]
    with a_task(meter) as task:
        stream = client.chat.completions.create(**ASK, stream=True)
        task.succeed()
    list(stream)
    assert kinds(memory) == ["task", "call"]
    call = memory.events[1]
    assert (call["subject"], call["data"]["task_id"], call["data"]["input_tokens"]) == ("acme", "ticket-1", 410)


def test_retries_of_the_library_are_one_call(server, meter, client, memory):
    server.answers = [500, None, 429, completion()]
    with a_task(meter) as task:
        client.with_options(max_retries=3).chat.completions.create(**ASK)
        task.succeed()
    assert len(server.requests) == 4
    assert kinds(memory) == ["call", "turn", "task"]


def test_a_refused_call_is_no_turn_and_its_error_is_raised(server, meter, client, memory):
    server.answers = [400, completion()]
    with a_task(meter) as task:
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(**ASK)
        client.chat.completions.create(**ASK)
        task.succeed()
    assert kinds(memory) == ["call", "call", "turn", "task"]
    refused, answered = [event["data"] for event in memory.of_type("inference.call")]
    assert picked(refused, "error", "finish_reason", "input_tokens", "turn_id") == {
        "error": "BadRequestError", "finish_reason": "error", "input_tokens": None, "turn_id": None,
    }  # fmt: skip
    assert answered["input_tokens"] == 410


def test_raw_responses_are_counted_once(server, meter, client, memory):
    server.answers = [completion(), chunks(), completion(), chunks(), completion()]
    raw = client.chat.completions.with_raw_response
    streaming = client.chat.completions.with_streaming_response
    with a_task(meter) as task:
        answer = raw.create(**ASK)
        assert answer.headers["content-type"] == "application/json"
        assert answer.parse().choices[0].message.content == "secret-answer"
        assert len(list(raw.create(**ASK, stream=True).parse())) == 3
        with streaming.create(**ASK) as unread:
            assert unread.parse().usage.prompt_tokens == 410
        with streaming.create(**ASK, stream=True) as unread:
            assert len(list(unread.parse())) == 3
        with streaming.create(**ASK) as unread:
            assert json.loads(unread.read())["model"] == "gpt-5-mini-2026-01-01"
        task.succeed()
    assert kinds(memory) == ["call", "turn"] * 5 + ["task"]
    assert [event["data"]["input_tokens"] for event in memory.of_type("inference.call")] == [410] * 5


def test_the_helpers_that_parse_and_gather_are_counted(server, meter, client, memory):
    from pydantic import BaseModel

    class Verdict(BaseModel):
        ok: bool

    whole = completion()
    whole["choices"][0]["message"]["content"] = '{"ok": true}'
    server.answers = [whole, chunks()]
    with a_task(meter):
        parsed = client.chat.completions.parse(**ASK, response_format=Verdict)
        with client.chat.completions.stream(**ASK) as stream:
            assert stream.get_final_completion().choices[0].message.content == "secret-answer"
    assert parsed.choices[0].message.parsed == Verdict(ok=True)
    assert [event["data"]["output_tokens"] for event in memory.of_type("inference.call")] == [58, 58]
    assert kinds(memory) == ["call", "turn", "call", "turn", "task"]


def test_responses_are_turns_and_embeddings_are_not(server, meter, client, memory):
    done = {"type": "response.completed", "sequence_number": 2, "response": response()}
    delta = {
        "type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "output_index": 0,
        "content_index": 0, "delta": "secret-answer", "logprobs": [],
    }  # fmt: skip
    server.answers = [response(), response(status="incomplete"), [delta, done], EMBEDDINGS]
    with a_task(meter) as task:
        client.responses.create(model="gpt-5-mini", input="secret-prompt")
        client.responses.create(model="gpt-5-mini", input="secret-prompt")
        assert len(list(client.responses.create(model="gpt-5-mini", input="secret-prompt", stream=True))) == 2
        client.embeddings.create(model="text-embedding-3-small", input="secret-prompt")
        task.succeed()
    assert kinds(memory) == ["call", "turn"] * 3 + ["call", "task"]
    assert "stream_options" not in server.bodies[2]
    calls = [event["data"] for event in memory.of_type("inference.call")]
    assert [picked(call, *TOKENS) for call in calls[:3]] == [TOKENS] * 3
    assert [call["finish_reason"] for call in calls[:3]] == ["stop", "max_output_tokens", "stop"]
    assert picked(calls[3], "operation", "model", "input_tokens", "output_tokens") == {
        "operation": "embeddings", "model": "text-embedding-3-small", "input_tokens": 7, "output_tokens": None,
    }  # fmt: skip


def test_a_response_in_the_background_is_counted_when_it_is_fetched(server, meter, client, memory):
    waiting = {**response(), "output": [], "usage": None}
    server.answers = [waiting | {"status": "queued"}, waiting | {"status": "in_progress"}, response(), response()]
    with a_task(meter) as task:
        client.responses.create(model="gpt-5-mini", input="secret-prompt", background=True)
        assert client.responses.retrieve("r").status == "in_progress"
        assert task.turns == 0
        client.responses.retrieve("r")
        client.responses.retrieve("r")  # counts nothing twice
    assert kinds(memory) == ["call", "turn", "task"]
    assert picked(call_of(memory), *TOKENS) == TOKENS


def test_a_response_in_the_background_may_be_called_off(server, meter, client, memory):
    waiting = {**response(), "output": [], "usage": None}
    server.answers = [waiting | {"status": "queued"}, waiting | {"status": "cancelled"}]
    with a_task(meter):
        client.responses.create(model="gpt-5-mini", input="secret-prompt", background=True)
        client.responses.cancel("r")
    assert kinds(memory) == ["call", "task"]
    assert picked(call_of(memory), "input_tokens", "finish_reason") == {
        "input_tokens": None, "finish_reason": "cancelled",
    }  # fmt: skip


def test_a_response_that_failed_is_no_turn(server, meter, client, memory):
    server.answers = [{**response(), "output": [], "usage": None, "status": "failed"}]
    with a_task(meter):
        assert client.responses.create(model="gpt-5-mini", input="secret-prompt").status == "failed"
    assert kinds(memory) == ["call", "task"]
    assert picked(call_of(memory), "error", "finish_reason") == {"error": "AnswerFailed", "finish_reason": "error"}


def result_of(call_id: str) -> list[Any]:
    function = {"name": "refund", "arguments": "secret-argument"}
    said = {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": function}]}
    return [*MESSAGES, said, {"role": "tool", "tool_call_id": call_id, "content": "secret-result"}]


@pytest.mark.parametrize("streams", [False, True])
def test_tools_asked_for_are_decisions_and_results_handed_back_are_tool_calls(server, meter, memory, streams):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, tools=True)
    asks, says = (chunks(tool="refund"), chunks()) if streams else (completion(tool="refund"), completion())
    server.answers = [asks, says, says]
    model = {"model": "gpt-5-mini", "tools": TOOLS, "stream": streams}
    with a_task(meter) as task:
        for messages in (MESSAGES, result_of("t1"), result_of("t1")):  # history goes along each time
            answer = client.chat.completions.create(messages=messages, **model)
            if streams:
                list(answer)
        task.succeed()
    assert kinds(memory) == ["call", "decision", "turn", "tool_call", "call", "turn", "call", "turn", "task"]
    [decision], [call] = memory.of_type("agent.decision"), memory.of_type("agent.tool_call")
    assert picked(decision["data"], "kind", "choice", "options", "turn_id") == {
        "kind": "tool", "choice": "refund", "options": ["refund", "escalate"], "turn_id": "ticket-1/turn-1",
    }  # fmt: skip
    assert picked(call["data"], "tool", "decision_id", "turn_id") == {
        "tool": "refund", "decision_id": decision["id"], "turn_id": "ticket-1/turn-1",
    }  # fmt: skip


def test_tools_of_responses_are_decisions_too(server, meter, memory):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, tools=True)
    server.answers = [response(tool="refund"), response()]
    tool: Any = {"type": "function", "name": "refund", "parameters": {}, "strict": False}
    result: Any = {"type": "function_call_output", "call_id": "t1", "output": "secret-result"}
    with a_task(meter):
        client.responses.create(model="gpt-5-mini", input="secret-prompt", tools=[tool])
        client.responses.create(model="gpt-5-mini", input=[result], previous_response_id="r", tools=[tool])
    assert kinds(memory) == ["call", "decision", "turn", "tool_call", "call", "turn", "task"]


def test_by_default_tools_are_left_to_the_agents_code(server, meter, client, memory):
    server.answers = [completion(tool="refund"), completion()]
    with a_task(meter):
        client.chat.completions.create(**ASK, tools=TOOLS)
        client.chat.completions.create(model="gpt-5-mini", messages=result_of("t1"), tools=TOOLS)
    assert kinds(memory) == ["call", "turn", "call", "turn", "task"]


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


def test_the_given_client_stays_as_it_was_and_wrapping_twice_counts_once(server, meter, memory):
    plain = openai.OpenAI(base_url=f"{server.address}/v1", api_key="k")
    client = wrap(wrap(plain, meter=meter), meter=meter)
    assert isinstance(client, openai.OpenAI)
    server.answers = [completion(), completion()]
    plain.chat.completions.create(**ASK)
    assert memory.events == []
    client.chat.completions.create(**ASK)
    assert kinds(memory) == ["call"]


def test_an_answer_is_not_lost_because_it_could_not_be_recorded(server, caplog):
    def full(_: Any) -> None:
        raise OSError("no space left")

    broken = Meter(source="desk", transport=full)
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=broken)
    server.answers = [completion(), chunks()]
    with caplog.at_level(logging.ERROR, logger="taximeter"):
        assert client.chat.completions.create(**ASK).choices[0].message.content == "secret-answer"
        assert len(list(client.chat.completions.create(**ASK, stream=True))) == 3
    assert [record.exc_info[0] for record in caplog.records] == [OSError, OSError]


def test_an_answer_without_usage_is_a_call_of_unknown_tokens(server, meter, client, memory):
    server.answers = [completion(usage=None)]
    with a_task(meter):
        client.chat.completions.create(**ASK)
    assert kinds(memory) == ["call", "turn", "task"]
    assert call_of(memory).get("input_tokens") is None


def test_of_several_answers_none_is_a_decision(server, meter, memory):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, tools=True)
    whole = completion(tool="refund")
    whole["choices"].append({**whole["choices"][0], "index": 1})
    server.answers = [whole]
    with a_task(meter):
        client.chat.completions.create(**ASK, n=2, tools=TOOLS)
    assert kinds(memory) == ["call", "turn", "task"]


def test_taximeters_own_door_is_told_whom_it_is_for_and_meters_itself(server):
    """The door and the place events are sent to have one address."""
    meter = Meter(source="desk", transport=HttpTransport(server.address, api_key="k"))
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, customer="zeta")
    server.answers = [completion(), chunks(), {"accepted": 3, "duplicates": 0, "rejected": []}, completion()]
    with a_task(meter) as task:
        client.chat.completions.create(**ASK)
        list(client.chat.completions.create(**ASK, stream=True, extra_headers={"x-task-id": "other"}))
        task.succeed()
    client.chat.completions.create(**ASK)
    [(_, _, events)] = [one for one in server.requests if one[0] == "/api/v1/events"]
    assert [event["type"] for event in events] == ["agent.turn", "agent.turn", "agent.task"]
    told = [
        {name: headers.get(name) for name in ("x-customer", "x-agent", "x-task-id", "x-turn-id")}
        for path, headers, _ in server.requests
        if path == "/v1/chat/completions"
    ]
    assert told == [
        {"x-customer": "acme", "x-agent": "support@3", "x-task-id": "ticket-1", "x-turn-id": "ticket-1/turn-1"},
        {"x-customer": "acme", "x-agent": "support@3", "x-task-id": "other", "x-turn-id": "ticket-1/turn-2"},
        {"x-customer": "zeta", "x-agent": None, "x-task-id": None, "x-turn-id": None},
    ]


def test_what_no_header_can_hold_is_not_told_and_refuses_no_call(server, meter, caplog):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, door=True)
    server.answers = [completion()]
    with meter.task("t", customer="müller", agent="a", task_id="t" * 300):
        client.chat.completions.create(**ASK)
    told = {name for name in server.requests[0][1] if name in {"x-customer", "x-agent", "x-task-id", "x-turn-id"}}
    assert told == {"x-agent", "x-turn-id"}
    assert "müller" in caplog.text


def test_a_call_is_made_even_if_who_it_is_for_cannot_be_told(server, meter, memory, caplog):
    def nobody() -> str:
        raise LookupError("who?")

    for door in (True, False):
        plain = openai.OpenAI(base_url=f"{server.address}/v1", api_key="k")
        client = wrap(plain, meter=meter, customer=nobody, door=door)
        server.answers = [completion()]
        assert client.chat.completions.create(**ASK).choices
    assert memory.events == []
    assert caplog.text.count("who?") >= 2


def test_another_provider_is_told_nothing_of_customers(server, meter, client, memory):
    server.answers = [completion()]
    with a_task(meter):
        client.chat.completions.create(**ASK)
    _, headers, _ = server.requests[0]
    assert not [name for name in headers if name.startswith("x-") and not name.startswith("x-stainless")]
    assert "acme" not in json.dumps([headers, server.bodies])


def test_an_answer_that_says_it_is_metered_is_not_metered_again(server, meter, client, memory, caplog):
    server.headers = {"X-Taximeter-Call": "call_1"}
    server.answers = [chunks(), completion(taximeter={"input_tokens": 410})]
    with a_task(meter):
        list(client.chat.completions.create(**ASK, stream=True))
        client.chat.completions.create(**ASK)
    assert kinds(memory) == ["turn", "turn", "task"]
    assert "door=True" in caplog.text


def test_times_are_the_meters(server, memory):
    instant = datetime(2026, 10, 3, 9, tzinfo=UTC)
    meter = Meter(source="desk", transport=memory, clock=lambda: instant)
    server.answers = [completion()]
    wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter).chat.completions.create(**ASK)
    [event] = memory.events
    assert (event["time"], event["data"]["started_at"]) == ("2026-10-03T09:00:00Z", "2026-10-03T09:00:00Z")
    assert USAGE["prompt_tokens"] == event["data"]["input_tokens"]
