"""No call is lost and none is counted twice, whichever process dies."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

from inference.tasks import record_kept_calls
from tests.inference.door import HEADERS, MESSAGES, Door, door_at
from tests.inference.engine_process import MODELS, Engine, long_body, start_engine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keeping(settings, live_server, tmp_path):
    """A door, and what starts the engine behind it, which keeps its calls in a file."""
    started: list[Engine] = []

    def start(model: Path | None = None) -> Engine:
        socket = started[0].socket if started else None
        engine = start_engine(model, "--spool", str(tmp_path / "calls.jsonl"), socket=socket)
        started.append(engine)
        settings.ENGINE_SOCKET = str(engine.socket)
        return engine

    yield start, door_at(live_server.url, "smollm2-135m-instruct")
    for engine in started:
        if engine.process.poll() is None:
            engine.stop()


def as_a_web_server_sends_it(door: Door, request_id: str) -> dict[str, str]:
    call = {
        "organization_id": door.organization.pk, "customer": "acme", "agent": "support@3", "task_id": "ticket-1",
        "turn_id": None, "started_at": "2026-11-01T10:00:00Z",
    }  # fmt: skip
    return {"X-Request-Id": request_id, "X-Taximeter-Call": json.dumps(call)}


def kept(engine: Engine) -> list[dict[str, Any]]:
    with engine.client() as client:
        return client.get("/v1/calls").json()["data"]


def wait_until_kept(engine: Engine) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while not (calls := kept(engine)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return calls[0]


def read_for(engine: Engine, door: Door, request_id: str, *, seconds: float) -> None:
    """Reads a long answer for a while, and then the reader is gone."""
    headers, until = as_a_web_server_sends_it(door, request_id), time.monotonic() + seconds
    body = {**long_body("smollm2-135m-instruct"), "max_tokens": 3000}
    with engine.client() as client, client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        for _ in answer.iter_lines():
            if time.monotonic() > until:
                return


def test_a_recorded_call_is_let_go_of_with_the_next_one(keeping):
    start, door = keeping
    engine = start(MODELS / "tiny-llama.gguf")
    with door.client(default_headers=HEADERS) as client:
        for _ in range(3):
            client.chat.completions.create(model=engine.model, messages=MESSAGES, max_tokens=2)
    assert len(kept(engine)) == 1
    assert record_kept_calls(grace=0) == 1  # a duplicate, as the door has recorded it
    assert (len(kept(engine)), len(door.events())) == (0, 3)


def test_a_call_whose_web_server_died_is_recorded_for_what_was_computed(keeping):
    start, door = keeping
    engine = start()
    read_for(engine, door, "call-1", seconds=0.2)
    account = wait_until_kept(engine)["account"]
    assert record_kept_calls(grace=0) == 1
    (event,) = door.events()
    assert (event.id, event.customer, event.data["task_id"]) == ("call/call-1", "acme", "ticket-1")
    assert event.data["finish_reason"] == "cancelled"
    assert event.data["output_tokens"] == account["output_tokens"] > 0
    assert record_kept_calls(grace=0) == 0


def test_a_call_whose_engine_and_web_server_died_is_recorded_up_to_its_last_second(keeping):
    start, door = keeping
    engine = start()
    body = {**long_body("smollm2-135m-instruct"), "max_tokens": 3000}
    with (
        engine.client() as client,
        client.stream("POST", "/v1/chat/completions", json=body, headers=as_a_web_server_sends_it(door, "c")) as answer,
    ):
        until = time.monotonic() + 3
        for _ in answer.iter_lines():
            if time.monotonic() > until:
                engine.process.kill()
                break
    engine.process.wait(10)
    start()
    assert record_kept_calls(grace=0) == 1
    (event,) = door.events()
    assert event.data["finish_reason"] == "error"
    assert event.data["output_tokens"] > 5
    assert Decimal(event.data["compute_seconds"]) > 0


def test_an_engine_killed_in_mid_stream_is_back_and_the_call_counts_once(keeping, settings):
    start, door = keeping
    engine = start()
    with door.client(default_headers=HEADERS) as client:
        stream = client.chat.completions.create(**{**long_body(engine.model), "max_tokens": 3000})
        for number, _ in enumerate(stream):
            if number == 12:
                break
        engine.process.kill()
        with pytest.raises(openai.APIError, match="not answering"):
            list(stream)
        engine.process.wait(10)
        engine = start()
        answer = client.chat.completions.create(model=engine.model, messages=MESSAGES, max_tokens=1)
    assert answer.usage.completion_tokens == 1
    record_kept_calls(grace=0)  # what the engine knew of the first call is less, or the same
    cut, whole = door.events()
    assert (cut.data["finish_reason"], whole.data["finish_reason"]) == ("error", "length")
    assert cut.data["output_tokens"] >= 2
    assert kept(engine) == []
