"""The Responses API through the wrapped client of `openai`."""

from __future__ import annotations

from tests.sdk.openai_server import EMBEDDINGS, response
from tests.sdk.wrapped_openai.conftest import TOKENS, a_task, call_of, kinds, picked


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
