"""The engine process: what it answers, what it counts, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from inference.engine.model_file import DEFAULT_MODEL_DIGEST, describe_model_file
from tests.inference.engine_process import MODELS, chat_body, long_body, start_engine, start_process

COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "shade": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["colour", "shade"],
    "additionalProperties": False,
}


def schema_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def events_of(response):
    lines = response.text.splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    notes = [json.loads(line[12:]) for line in lines if line.startswith(": taximeter ")]
    assert lines[-2:] == ["data: [DONE]", ""]
    return events, notes


def test_an_answer_has_tokens_seconds_and_the_model_it_came_from(engine):
    answer = engine.chat(max_tokens=8).json()
    account = answer["taximeter"]
    assert answer["object"] == "chat.completion"
    assert answer["usage"] == {
        "prompt_tokens": 32,
        "completion_tokens": 8,
        "total_tokens": 40,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert answer["choices"][0]["finish_reason"] == account["finish_reason"] == "length"
    assert (account["input_tokens"], account["output_tokens"], account["cached_input_tokens"]) == (32, 8, 0)
    assert Decimal(0) < Decimal(account["compute_seconds"]) < 1
    assert account["model"] == "tiny-random-llama"
    assert account["model_digest"] == describe_model_file(MODELS / "tiny-llama.gguf").digest
    assert account["quantization"] == "Q8_0"
    assert account["hardware"] == "cpu"


def test_a_stream_says_the_same_as_a_whole_answer(engine):
    whole = engine.chat(max_tokens=8).json()
    events, notes = events_of(engine.chat(max_tokens=8, stream=True, stream_options={"include_usage": True}))
    text = "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == whole["usage"]
    assert notes[-1] == events[-1]["taximeter"]


def test_usage_is_a_part_of_the_stream_only_where_asked_for(engine):
    events, notes = events_of(engine.chat(max_tokens=4, stream=True))
    assert not any("usage" in event for event in events)
    assert notes[-1]["output_tokens"] == 4


def test_a_stream_carries_a_running_account(language_engine):
    _, notes = events_of(language_engine.chat(max_tokens=12, stream=True))
    counts = [note["output_tokens"] for note in notes]
    seconds = [Decimal(note["compute_seconds"]) for note in notes]
    assert counts == sorted(counts)
    assert seconds == sorted(seconds)
    assert len(notes) >= 3


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_under_a_schema_fits_it_and_has_no_spare_spaces(engine, stream):
    response = engine.chat(max_tokens=60, response_format=schema_format(COLOUR), stream=stream)
    if stream:
        events, _ = events_of(response)
        text = "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])
    else:
        text = response.json()["choices"][0]["message"]["content"]
    answer = json.loads(text)
    assert answer["colour"] in {"red", "green"}
    assert 1 <= answer["shade"] <= 9
    assert " " not in text


def test_a_mamba_model_answers_and_is_counted_like_a_transformer():
    mamba = start_engine(MODELS / "tiny-mamba.gguf")
    try:
        account = mamba.chat(max_tokens=30, response_format=schema_format(COLOUR)).json()["taximeter"]
    finally:
        assert mamba.stop() == 0
    assert account["model"] == "tiny-random-mamba"
    assert account["input_tokens"] == 32
    assert account["finish_reason"] == "stop"


def test_equal_requests_count_equal_tokens_whatever_came_before(engine):
    accounts = [engine.chat(max_tokens=12).json()["taximeter"] for _ in range(3)]
    assert {(a["input_tokens"], a["cached_input_tokens"], a["output_tokens"]) for a in accounts} == {(32, 0, 12)}


def test_requests_at_once_are_answered_one_after_the_other(language_engine):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: language_engine.chat(max_tokens=6).json(), range(4)))
    assert [answer["usage"]["completion_tokens"] for answer in answers] == [6] * 4
    queue = sorted(answer["taximeter"]["queue_ms"] for answer in answers)
    work = min(a["taximeter"]["prompt_ms"] + a["taximeter"]["generation_ms"] for a in answers)
    assert queue[0] < work
    assert queue[-1] >= 2 * work


def test_a_client_that_leaves_stops_the_work(language_engine):
    body = long_body(language_engine.model)
    with language_engine.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if line.startswith(": taximeter"):
                break
    assert_idle_within(language_engine, 8)


def test_a_client_that_leaves_the_line_is_not_answered(language_engine):
    body = {**long_body(language_engine.model), "max_tokens": 200}
    with language_engine.client() as first, first.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        next(lines)
        with language_engine.client(timeout=0.3) as second, pytest.raises(Exception, match="timed out"):
            second.post("/v1/chat/completions", json=long_body(language_engine.model))
        assert "data: [DONE]" in list(lines)
    assert_idle_within(language_engine, 8)


def assert_idle_within(engine, seconds):
    deadline = time.monotonic() + seconds
    with engine.client() as client:
        while client.get("/health").json()["requests"]:
            assert time.monotonic() < deadline, "the engine is still working for a client that left"
            time.sleep(0.05)


def test_a_request_called_off_ends_with_what_it_used(language_engine):
    body = long_body(language_engine.model)
    notes = []
    with (
        language_engine.client() as client,
        client.stream("POST", "/v1/chat/completions", json=body, headers={"X-Request-Id": "call-1"}) as response,
    ):
        for line in response.iter_lines():
            if line.startswith(": taximeter "):
                notes.append(json.loads(line[12:]))
                if len(notes) == 6:
                    with language_engine.client() as other:
                        assert other.delete("/v1/requests/call-1").json() == {"cancelled": True}
    assert notes[-1]["finish_reason"] == "cancelled"
    assert 6 <= notes[-1]["output_tokens"] < 500
    assert Decimal(notes[-1]["compute_seconds"]) >= Decimal(notes[-2]["compute_seconds"])


def test_compute_seconds_add_up_to_the_processor_time_of_the_process(language_engine):
    def processor_seconds():
        fields = Path(f"/proc/{language_engine.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    before = processor_seconds()
    used = sum(Decimal(language_engine.chat(max_tokens=40).json()["taximeter"]["compute_seconds"]) for _ in range(4))
    spent = processor_seconds() - before
    assert abs(float(used) - spent) <= 0.02 * spent + 0.02  # the counter of the process steps by 0.01 s


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": "gpt-4o"}, "model_not_found", "model"),
        ({"messages": []}, "invalid_request_error", "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_request_error", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_request_error", "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x" * 5000}]}, "context_length_exceeded", "messages"),
        ({"max_tokens": 0}, "invalid_request_error", "max_tokens"),
        ({"temperature": "hot"}, "invalid_request_error", "temperature"),
        ({"tools": [{"type": "function"}]}, "invalid_request_error", "tools[0]"),
        ({"n": 2}, "unsupported_parameter", "n"),
        ({"response_format": {"type": "xml"}}, "invalid_request_error", "response_format"),
        ({"response_format": schema_format({"type": "nonsense"})}, "schema_unsupported", "response_format"),
        ({"response_format": schema_format({"$ref": "#/no"})}, "schema_unsupported", "response_format"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_makes_no_sense_is_refused_with_the_field(engine, body, code, param, stream):
    response = engine.chat(**{**body, "stream": stream})
    assert response.status_code == (404 if code == "model_not_found" else 400)
    error = response.json()["error"]
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")


def test_nothing_but_its_health_is_told_without_the_secret(engine):
    with engine.client(secret="guess") as client:
        assert client.get("/health").json()["status"] == "ok"
        assert client.get("/v1/models").status_code == 401
        assert client.delete("/v1/requests/x").status_code == 401
        assert client.post("/v1/chat/completions", json=chat_body(engine.model)).status_code == 401


def test_its_socket_is_for_its_user_alone_and_it_listens_nowhere_else(engine):
    assert engine.socket.stat().st_mode & 0o777 == 0o600
    process = Path(f"/proc/{engine.process.pid}")
    targets = [os.readlink(link) for link in (process / "fd").iterdir()]
    own = {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}
    listening = [
        line.split() for table in ("tcp", "tcp6") for line in (process / "net" / table).read_text().splitlines()
    ]
    assert not [row for row in listening if row[3] == "0A" and row[9] in own]


def test_the_models_list_describes_the_loaded_model(engine):
    with engine.client() as client:
        (model,) = client.get("/v1/models").json()["data"]
    assert model["id"] == "tiny-random-llama"
    assert model["taximeter"]["architecture"] == "llama"
    assert model["taximeter"]["context_length"] == 2048
    assert model["taximeter"]["license"] == "CC0-1.0"


def test_the_default_model_is_the_pinned_one(language_engine):
    with language_engine.client() as client:
        (model,) = client.get("/v1/models").json()["data"]
    assert (model["id"], model["taximeter"]["digest"]) == ("smollm2-135m-instruct", DEFAULT_MODEL_DIGEST)


def test_it_ends_cleanly_in_the_middle_of_an_answer():
    engine = start_engine(None)
    body = long_body(engine.model)
    with engine.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        next(line for line in lines if line.startswith(": taximeter"))
        threading.Thread(target=engine.process.terminate).start()
        rest = list(lines)
    assert engine.process.wait(10) == 0
    notes = [json.loads(line[12:]) for line in rest if line.startswith(": taximeter ")]
    assert notes[-1]["finish_reason"] == "cancelled"
    assert not engine.socket.exists()
    engine.stop()


def test_a_second_engine_on_the_same_socket_is_refused_and_the_first_goes_on(engine):
    process = start_process(engine.socket, "--model", str(MODELS / "tiny-llama.gguf"), stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Another engine is serving" in errors
    assert engine.chat(max_tokens=1).status_code == 200


def test_the_socket_of_a_killed_engine_is_taken_over():
    first = start_engine(MODELS / "tiny-llama.gguf")
    first.process.kill()
    first.process.wait(10)
    assert first.socket.exists()
    second = start_engine(MODELS / "tiny-llama.gguf", socket=first.socket)
    assert second.chat(max_tokens=1).status_code == 200
    assert second.stop() == 0


def test_a_full_line_answers_429_with_a_time_to_come_back():
    engine = start_engine(None, "--queue-limit", "1")
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: engine.chat(max_tokens=10), range(6)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert [answer.status_code for answer in answers].count(200) == 2
        assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)
        assert refused[0].json()["error"]["code"] == "engine_busy"
    finally:
        engine.stop()


def test_it_does_not_start_without_a_secret(tmp_path):
    process = start_process(tmp_path / "engine.sock", secret="", stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "TAXIMETER_ENGINE_SECRET" in errors


def test_garbage_on_the_socket_does_not_disturb_it(engine):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(engine.socket))
        raw.sendall(b"\x00\x01 nonsense\r\n\r\n")
    with engine.client() as client:
        response = client.post("/v1/chat/completions", content=b"{not json")
    assert response.json()["error"]["message"].startswith("The body is not valid JSON")
    assert engine.chat(max_tokens=1).status_code == 200
