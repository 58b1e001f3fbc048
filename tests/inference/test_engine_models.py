"""Several models in one engine: loaded when asked for, unloaded for others, and never more than memory holds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from inference.engine.config import EngineConfig
from tests.inference.engine_process import MODELS, SECRET, Engine, start_engine
from tests.inference.test_engine import schema_format

BOTH = ("--model", str(MODELS / "tiny-mamba.gguf"))


@pytest.fixture(scope="module")
def two_models() -> Iterator[Engine]:
    """Memory for one of the tiny models at a time: each is estimated at about 9 MB."""
    engine = start_engine(MODELS / "tiny-llama.gguf", *BOTH, "--memory-mib", "12")
    yield engine
    engine.stop()


def loaded(engine: Engine) -> list[str]:
    with engine.client() as client:
        return client.get("/health").json()["models"]


def test_the_longest_unused_model_makes_room_for_the_one_asked_for(two_models):
    for name in ("tiny-random-llama", "tiny-random-mamba", "tiny-random-llama"):
        assert two_models.chat(model=name, max_tokens=3).json()["taximeter"]["model"] == name
        assert loaded(two_models) == [name]


def test_models_can_be_loaded_and_unloaded_beforehand(two_models):
    with two_models.client() as client:
        assert client.post("/v1/models/load", json={"model": "tiny-random-mamba"}).json()["loaded"]
        assert loaded(two_models) == ["tiny-random-mamba"]
        assert client.post("/v1/models/unload", json={"model": "tiny-random-mamba"}).json()["unloaded"]
        assert loaded(two_models) == []
        assert client.post("/v1/models/load", json={"model": "unknown"}).status_code == 404


def test_a_model_that_cannot_fit_is_refused_with_what_it_needs():
    engine = start_engine(MODELS / "tiny-llama.gguf", "--memory-mib", "4")
    try:
        error = engine.chat(max_tokens=3).json()["error"]
    finally:
        engine.stop()
    assert error["code"] == "model_too_large"
    assert error["message"] == "The model 'tiny-random-llama' needs about 8 MiB and the engine may use 4 MiB"


def test_its_numbers_are_told_to_prometheus(two_models):
    two_models.chat(max_tokens=3)
    with two_models.client() as client:
        text = client.get("/metrics").text
    with two_models.client(secret="guess") as client:
        assert client.get("/metrics").status_code == 401
    values = dict(re.findall(r"^taximeter_engine_(\S+) (\S+)$", text, re.MULTILINE))
    assert float(values['tokens_total{model="tiny-random-llama",kind="output"}']) >= 3
    assert values["memory_limit_bytes"] == "12582912"
    assert values["requests_running"] == "0"
    assert float(values['queue_seconds_bucket{le="+Inf"}']) == float(values["queue_seconds_count"])


def test_a_request_that_takes_too_long_is_cut_and_answered_with_what_there_is():
    engine = start_engine(None, "--request-seconds", "1")
    try:
        items = {"type": "array", "items": {"type": "boolean"}, "minItems": 2000}
        answer = engine.chat(max_tokens=3000, response_format=schema_format(items)).json()
    finally:
        engine.stop()
    assert answer["taximeter"]["finish_reason"] == "timed_out"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] < 3000


def test_it_works_with_other_settings():
    engine = start_engine(None, "--flash-attention", "on", "--cache-type", "q8_0", "--threads", "2")
    try:
        assert engine.chat(max_tokens=3).json()["usage"]["completion_tokens"] == 3
    finally:
        engine.stop()


@pytest.mark.parametrize(
    "wrong", [{"flash_attention": "maybe"}, {"cache_type": "q3"}, {"cache_type": "q8_0", "flash_attention": "off"}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"attention|cache"):
        EngineConfig(socket=Path("x.sock"), secret=SECRET, **wrong)


def test_requests_side_by_side_add_up_to_the_processor_time_of_the_process():
    engine = start_engine(None, "--slots", "3")
    try:
        spent = -processor_seconds(engine)
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda number: long_answer(engine, tokens=8 + 16 * number), range(3)))
        spent += processor_seconds(engine)
    finally:
        engine.stop()
    accounts = [answer["taximeter"] for answer in answers]
    used = [Decimal(account["compute_seconds"]) for account in accounts]
    assert abs(float(sum(used)) - spent) <= 0.02 * spent + 0.02  # the counter of the process steps by 0.01 s
    assert used[0] < used[1] < used[2]
    assert [account["output_tokens"] for account in accounts] == [8, 24, 40]


def long_answer(engine: Engine, *, tokens: int) -> dict[str, Any]:
    items = {"type": "array", "items": {"type": "boolean"}, "minItems": 100}
    return engine.chat(max_tokens=tokens, response_format=schema_format(items)).json()


def processor_seconds(engine: Engine) -> float:
    time.sleep(0.05)
    fields = Path(f"/proc/{engine.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
