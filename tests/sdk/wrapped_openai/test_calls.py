"""Calls through the wrapped client of `openai` are recorded once, and are what they were."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from taximeter import Meter
from taximeter.integrations.openai import wrap

from tests.sdk.openai_server import USAGE, chunks, completion
from tests.sdk.wrapped_openai.conftest import ASK, TOKENS, a_task, call_of, kinds, picked


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


def test_times_are_the_meters(server, memory):
    instant = datetime(2026, 10, 3, 9, tzinfo=UTC)
    meter = Meter(source="desk", transport=memory, clock=lambda: instant)
    server.answers = [completion()]
    wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter).chat.completions.create(**ASK)
    [event] = memory.events
    assert (event["time"], event["data"]["started_at"]) == ("2026-10-03T09:00:00Z", "2026-10-03T09:00:00Z")
    assert USAGE["prompt_tokens"] == event["data"]["input_tokens"]
