"""Fifty requests at once through the real web server, all of them answered, and no customer served at the cost of
another."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import psycopg
import pytest

from tests.inference.engine_process import MODELS, SECRET


@pytest.fixture
def served(system, tmp_path, monkeypatch) -> openai.OpenAI:
    """The client of a running system, whose engine has the tiny transformer."""
    socket = tmp_path / "engine.sock"
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(socket))
    monkeypatch.setenv("TAXIMETER_ENGINE_SECRET", SECRET)
    monkeypatch.setenv("TAXIMETER_MODEL", str(MODELS / "tiny-llama.gguf"))
    system.manage("create_organization", "Vendor")
    secret = system.manage("create_api_key", "--organization", "vendor", "--scope", "ingest").stdout.strip()
    engine = system.start_manage("run_engine")
    system.start("web")
    deadline = time.monotonic() + 30
    while not socket.exists():
        assert engine.poll() is None, system.log("manage").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with openai.OpenAI(base_url=f"{system.address}/v1", api_key=secret, max_retries=0, timeout=60) as client:
        yield client


def test_fifty_requests_at_once_are_answered_fairly(system, served):
    finished: list[str] = []
    start = threading.Barrier(50)

    def ask(number: int) -> int:
        customer = "modest" if number >= 40 else "greedy"
        start.wait(30)
        if customer == "modest":
            time.sleep(0.2)  # behind all the others
        answer = served.chat.completions.create(
            model="tiny-random-llama",
            messages=[{"role": "user", "content": "Name a colour"}],
            max_tokens=600,
            seed=5,
            extra_headers={"X-Customer": customer},
            response_format={
                "type": "json_schema",
                "json_schema": {
                    "name": "flags",
                    "schema": {"type": "array", "items": {"type": "null"}, "minItems": 110},
                },
            },
        )
        finished.append(customer)
        return answer.usage.completion_tokens

    with ThreadPoolExecutor(50) as pool:
        tokens = list(pool.map(ask, range(50)))
    assert len(finished) == 50
    last_of_the_modest = max(place for place, customer in enumerate(finished) if customer == "modest")
    assert last_of_the_modest < 40, finished  # in order of arrival it would be the last, at place 49
    with psycopg.connect(system.postgres_url) as db:
        rows = db.execute(
            "SELECT subject, count(*), sum((data->>'output_tokens')::int) FROM metering_usageevent"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert [(customer, count) for customer, count, _ in rows] == [("greedy", 40), ("modest", 10)]
    assert sum(total for _, _, total in rows) == sum(tokens)
