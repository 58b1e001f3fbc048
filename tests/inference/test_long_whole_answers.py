"""Answers that are given whole and take long: who leaves is noticed, who waits gets all of it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import psycopg
import pytest

from launcher import process
from tests.inference.door import HEADERS, door_at, point_door_at
from tests.inference.engine_process import SECRET, long_body, start_engine


def whole_body(model: str, *, items: int) -> dict[str, Any]:
    """An answer, given whole, of at least `items` items."""
    body = {**long_body(model), "stream": False, "max_tokens": 3000}
    body["response_format"]["json_schema"]["schema"]["minItems"] = items
    return body


@pytest.fixture
def engine():
    engine = start_engine(None)
    yield engine
    if engine.process.poll() is None:
        engine.stop()


def test_who_leaves_a_call_that_does_not_stream_is_charged_for_what_was_computed(system, tmp_path, monkeypatch):
    socket = tmp_path / "engine.sock"
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(socket))
    monkeypatch.setenv("TAXIMETER_ENGINE_SECRET", SECRET)
    system.manage("create_organization", "Vendor")
    secret = system.manage("create_api_key", "--organization", "vendor", "--scope", "ingest").stdout.strip()
    running = system.start_manage("run_engine")
    system.start("web")
    assert process.wait_until(socket.exists, seconds=60), process.tail(system.log("manage"))
    assert running.poll() is None
    with (
        openai.OpenAI(base_url=f"{system.address}/v1", api_key=secret, max_retries=0, timeout=2) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(**whole_body("smollm2-135m-instruct", items=1500))
    with psycopg.connect(system.postgres_url, autocommit=True) as db:

        def events() -> list[Any]:
            return db.execute("SELECT data FROM metering_usageevent WHERE type = 'inference.call'").fetchall()

        assert process.wait_until(events, seconds=90)
        ((data,),) = events()
    assert data["finish_reason"] == "cancelled"
    assert 0 < data["output_tokens"] < 3000


@pytest.mark.django_db(transaction=True)
def test_a_long_answer_begins_with_signs_of_life_and_is_one_call(engine, settings, live_server):
    for _ in point_door_at(settings, engine):
        door = door_at(live_server.url, engine.model)
        with door.client(default_headers=HEADERS, timeout=120) as client:
            body = whole_body(engine.model, items=1500) | {"max_tokens": 1000}
            answer = client.chat.completions.with_raw_response.create(**body)
    completion = answer.parse()
    assert answer.http_response.content.startswith(b"\n")
    assert (completion.choices[0].finish_reason, completion.usage.completion_tokens) == ("length", 1000)
    (event,) = door.events()
    assert event.data["output_tokens"] == completion.usage.completion_tokens
    assert completion.id.endswith(event.id.removeprefix("call/"))


@pytest.mark.django_db(transaction=True)
def test_a_long_answer_that_its_engine_does_not_finish_says_so(engine, settings, live_server):
    for _ in point_door_at(settings, engine):
        door = door_at(live_server.url, engine.model)
        body = whole_body(engine.model, items=1500)
        headers = {"Authorization": f"Bearer {door.secret}"}
        url = f"{door.address}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as answer:
            pieces = answer.iter_bytes()
            first = next(pieces)
            engine.process.kill()
            rest = b"".join(pieces)
    assert (answer.status_code, first.strip()) == (200, b"")
    assert json.loads(rest)["error"]["code"] == "engine_unavailable"
