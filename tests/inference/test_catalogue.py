"""The model catalogue, and the command that runs the engine and keeps it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from inference.engine.model_file import describe_model_file
from inference.facade import Model, register_model
from tests.inference.engine_process import MODELS, SECRET, Engine

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_a_model_is_its_bytes_wherever_they_lie(tmp_path):
    first = describe_model_file(MODELS / "tiny-mamba.gguf")
    copy = tmp_path / "renamed.gguf"
    copy.write_bytes(first.path.read_bytes())
    register_model(file=first, now=NOON)
    register_model(file=describe_model_file(copy), now=NOON + timedelta(hours=1))
    (model,) = Model.objects.all()
    assert (model.digest, model.key, model.architecture) == (first.digest, "tiny-random-mamba", "mamba")
    assert (model.quantization, model.parameters, model.license) == ("Q8_0", 116_672, "CC0-1.0")
    assert (model.registered_at, model.loaded_at) == (NOON, NOON + timedelta(hours=1))
    assert model.path == str(copy)


def test_run_engine_enters_its_model_serves_and_ends_on_term(system, tmp_path, monkeypatch):
    socket = tmp_path / "engine.sock"
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(socket))
    monkeypatch.setenv("TAXIMETER_ENGINE_SECRET", SECRET)
    monkeypatch.setenv("TAXIMETER_MODEL", str(MODELS / "tiny-llama.gguf"))
    process = system.start_manage("run_engine")
    deadline = time.monotonic() + 30
    while not socket.exists():
        assert process.poll() is None, system.log("manage").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    engine = Engine(process, socket, "tiny-random-llama")
    assert engine.chat(max_tokens=2).json()["usage"]["completion_tokens"] == 2
    with psycopg.connect(system.postgres_url) as db:
        assert db.execute("SELECT key, architecture FROM inference_model").fetchall() == [
            ("tiny-random-llama", "llama")
        ]
    assert engine.stop() == 0
    assert not socket.exists()


def test_run_engine_says_why_it_cannot_start(system, tmp_path, monkeypatch):
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(tmp_path / "engine.sock"))
    monkeypatch.setenv("TAXIMETER_MODEL", str(tmp_path / "missing.gguf"))
    done = system.manage("run_engine", check=False)
    assert done.returncode == 1
    assert "missing.gguf" in done.stderr
    assert "Traceback" not in done.stderr
