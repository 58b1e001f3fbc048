"""The engine as it is run: with the catalogue of the database, which reaches it at once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.inference.engine_process import MODELS, SECRET, Engine, long_body


@pytest.fixture
def run_engine(system, tmp_path, monkeypatch) -> Callable[..., Any]:
    """`with run_engine(): …` is a running `manage.py run_engine`; keywords are its environment."""

    @contextmanager
    def run(**environment: str) -> Iterator[Engine]:
        socket = tmp_path / "engine.sock"
        wanted = {"SOCKET": str(socket), "SECRET": SECRET}
        for name, value in {
            **{f"TAXIMETER_ENGINE_{key}": value for key, value in wanted.items()},
            **environment,
        }.items():
            monkeypatch.setenv(name, value)
        process = system.start_manage("run_engine")
        deadline = time.monotonic() + 60
        while not socket.exists():
            assert process.poll() is None, system.log("manage").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        engine = Engine(process, socket, "tiny-random-llama")
        yield engine
        assert engine.stop() == 0, system.log("manage").read_text()
        assert not socket.exists()

    return run


@pytest.fixture
def organization(system) -> None:
    system.manage("create_organization", "Vendor")


def rows(system, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(system.postgres_url) as db:
        return db.execute(statement).fetchall()


REFUSALS = "SELECT actor, detail->>'code' FROM accounts_auditentry WHERE action = 'model.refuse' ORDER BY id"


def test_it_enters_its_model_and_serves(system, run_engine):
    with run_engine(TAXIMETER_MODEL=str(MODELS / "tiny-llama.gguf")) as engine:
        assert engine.chat(max_tokens=2).json()["usage"]["completion_tokens"] == 2
        found = rows(system, "SELECT key, architecture, loaded_at IS NOT NULL FROM inference_model")
        assert found == [("tiny-random-llama", "llama", True)]


def test_it_says_why_it_cannot_start(system, tmp_path, monkeypatch):
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(tmp_path / "engine.sock"))
    monkeypatch.setenv("TAXIMETER_MODEL", str(tmp_path / "missing.gguf"))
    done = system.manage("run_engine", check=False)
    assert done.returncode == 1
    assert "missing.gguf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_added_is_served_and_a_recalled_one_refused_at_once_after_its_work_is_done(
    system, organization, run_engine
):
    with run_engine(TAXIMETER_MODEL=str(MODELS / "tiny-llama.gguf")) as engine:
        assert engine.chat(model="tiny-random-mamba", max_tokens=2).json()["error"]["code"] == "model_not_found"
        system.manage("add_model", str(MODELS / "tiny-mamba.gguf"))
        answer = engine.chat(model="tiny-random-mamba", max_tokens=2).json()
        assert answer["taximeter"]["architecture"] == "mamba"
        body = {**long_body("tiny-random-mamba"), "max_tokens": 1500}
        with engine.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as response:
            lines = response.iter_lines()
            next(lines)
            system.manage("recall_model", "tiny-random-mamba", "--reason", "leaks")
            refused = engine.chat(model="tiny-random-mamba", max_tokens=2)
            assert "data: [DONE]" in list(lines)  # what was begun is ended
        assert refused.status_code == 403
        assert refused.json()["error"] == {
            "message": "The model 'tiny-random-mamba' was recalled: leaks",
            "type": "permission_error",
            "param": "model",
            "code": "model_recalled",
        }
        with engine.client() as client:
            assert client.get("/health").json()["models"] == ["tiny-random-llama"]
            assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["tiny-random-llama"]
    assert rows(system, REFUSALS) == [("engine", "model_recalled")]


def test_a_file_with_one_flipped_byte_is_refused_with_the_reason_and_audited(
    system, organization, run_engine, tmp_path
):
    path = Path(shutil.copy(MODELS / "tiny-mamba.gguf", tmp_path))
    system.manage("add_model", str(path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with run_engine(TAXIMETER_MODEL=str(MODELS / "tiny-llama.gguf")) as engine:
        for _ in range(2):
            error = engine.chat(model="tiny-random-mamba", max_tokens=2).json()["error"]
            assert error["code"] == "model_digest_mismatch"
            assert "SHA-256" in error["message"]
        assert engine.chat(max_tokens=2).status_code == 200
    assert rows(system, REFUSALS) == [("engine", "model_digest_mismatch")]  # told once


def test_a_model_whose_signature_no_trusted_publisher_made_is_refused_and_audited(system, organization, run_engine):
    system.manage("add_model", str(MODELS / "tiny-llama.gguf"))
    key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8032's second test key
    environment = {"TAXIMETER_MODEL": str(MODELS / "tiny-llama.gguf"), "TAXIMETER_MODEL_PUBLISHER_KEYS": key}
    with run_engine(**environment) as engine:
        assert engine.chat(max_tokens=2).json()["error"]["code"] == "model_signature_missing"
    assert rows(system, REFUSALS) == [("engine", "model_signature_missing")]
