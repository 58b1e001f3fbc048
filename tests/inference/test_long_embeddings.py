"""Vectors of many texts take long: who leaves is noticed between some and the next, who waits gets all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import psycopg
import pytest

from launcher import process
from tests.inference.engine_process import MODELS, SECRET, Engine, start_engine

#: About a minute's work for the smallest of models.
LONG = ["ab " * 333] * 256
ALL_TOKENS = 255_744


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-embedding.gguf")
    yield engine
    engine.stop()


def wait_until_idle(engine: Engine) -> None:
    def idle() -> bool:
        with engine.client() as client:
            return client.get("/health").json()["requests"] == 0

    assert process.wait_until(idle, seconds=60), "it still works for nobody"


def test_each_text_of_many_has_its_vector_in_its_place(engine: Engine) -> None:
    texts = [f"text {number} " * (1 + number % 7) for number in range(50)]
    with engine.client() as client:
        answer = client.post("/v1/embeddings", json={"model": engine.model, "input": texts}).json()
        for place in (0, 15, 16, 17, 49):
            alone = client.post("/v1/embeddings", json={"model": engine.model, "input": texts[place]}).json()
            assert answer["data"][place]["embedding"] == pytest.approx(alone["data"][0]["embedding"], abs=1e-3)
    assert [one["index"] for one in answer["data"]] == list(range(50))
    assert answer["usage"]["prompt_tokens"] == answer["taximeter"]["input_tokens"]


def test_who_leaves_ends_the_work(engine: Engine) -> None:
    with engine.client(timeout=1.5) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/embeddings", json={"model": engine.model, "input": LONG})
    wait_until_idle(engine)
    with engine.client() as client:
        assert 'outcome="cancelled"} 1' in client.get("/metrics").text


def test_a_request_called_off_says_what_it_took_and_gives_no_part_for_the_whole(engine: Engine) -> None:
    headers = {"X-Request-Id": "call-7", "X-Taximeter-Pulse": "1"}
    body = {"model": engine.model, "input": LONG}
    with engine.client() as client, client.stream("POST", "/v1/embeddings", json=body, headers=headers) as answer:
        pieces = answer.iter_bytes()
        assert (answer.status_code, next(pieces).strip()) == (200, b"")  # a sign of life
        with engine.client() as other:
            assert other.delete("/v1/requests/call-7").json() == {"cancelled": True}
        last = json.loads(b"".join(pieces))
    assert last["error"]["code"] == "request_cancelled"
    assert "data" not in last
    assert 0 < last["taximeter"]["input_tokens"] < ALL_TOKENS
    assert last["taximeter"]["finish_reason"] == "cancelled"


def test_through_the_door_who_leaves_is_charged_for_what_was_read(system: Any, tmp_path: Any, monkeypatch: Any) -> None:
    socket = tmp_path / "engine.sock"
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(socket))
    monkeypatch.setenv("TAXIMETER_ENGINE_SECRET", SECRET)
    monkeypatch.setenv("TAXIMETER_MODEL", str(MODELS / "tiny-embedding.gguf"))
    system.manage("create_organization", "Vendor")
    secret = system.manage("create_api_key", "--organization", "vendor", "--scope", "ingest").stdout.strip()
    system.start_manage("run_engine")
    system.start("web")
    assert process.wait_until(socket.exists, seconds=60), process.tail(system.log("manage"))
    with openai.OpenAI(base_url=f"{system.address}/v1", api_key=secret, max_retries=0, timeout=2) as client:
        [model] = client.with_options(timeout=30).models.list().data
        with pytest.raises(openai.APITimeoutError):
            client.embeddings.create(model=model.id, input=LONG)
    with psycopg.connect(system.postgres_url, autocommit=True) as db:

        def events() -> list[Any]:
            return db.execute("SELECT data FROM metering_usageevent WHERE type = 'inference.call'").fetchall()

        assert process.wait_until(events, seconds=90)
        ((data,),) = events()
    assert data["finish_reason"] == "cancelled"
    assert 0 < data["input_tokens"] < ALL_TOKENS
