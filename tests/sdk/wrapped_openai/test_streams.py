"""Streams through the wrapped client of `openai`, read to their end or not."""

from __future__ import annotations

import openai
import pytest

from tests.sdk.openai_server import chunks
from tests.sdk.wrapped_openai.conftest import ASK, TOKENS, a_task, call_of, kinds, picked


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
