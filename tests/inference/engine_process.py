"""Starts real engine processes for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests" / "data" / "models"
_DIRECTORY = "taximeter-test-engine-"
SECRET = "secret of the engine in tests"


@dataclass
class Engine:
    """A running engine process and the way to it."""

    process: subprocess.Popen[str]
    socket: Path
    model: str

    def client(self, secret: str = SECRET, timeout: float = 60) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.socket))
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.Client(transport=transport, base_url="http://engine", headers=headers, timeout=timeout)

    def chat(self, **body: Any) -> httpx.Response:
        with self.client() as client:
            return client.post("/v1/chat/completions", json={**chat_body(self.model), **body})

    def stop(self) -> int:
        """TERM; the exit status. Its socket's directory goes too, where `start_engine` made it."""
        self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if self.socket.parent.name.startswith(_DIRECTORY):
                shutil.rmtree(self.socket.parent, ignore_errors=True)


def chat_body(model: str, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "Name a colour"}], "temperature": 0}
    return {**body, **more}


def long_body(model: str) -> dict[str, Any]:
    """A streamed answer that cannot be short: at least 200 items."""
    schema = {"type": "array", "items": {"type": "boolean"}, "minItems": 200}
    return chat_body(
        model, stream=True, max_tokens=500, response_format={"type": "json_schema", "json_schema": {"schema": schema}}
    )


def start_engine(model: Path | None, *options: str, socket: Path | None = None) -> Engine:
    """An engine with `model` (None: the default one), answering."""
    socket = socket or Path(tempfile.mkdtemp(prefix=_DIRECTORY)) / "engine.sock"
    process = start_process(socket, *(["--model", str(model)] if model else []), *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready: "):
        raise RuntimeError(f"the engine did not start: exit status {process.wait(15)}, {line!r}")
    return Engine(process, socket, line.removeprefix("ready: ").strip())


def start_process(
    socket: Path, *options: str, secret: str = SECRET, stderr: int | None = None
) -> subprocess.Popen[str]:
    """The bare process; what it logs goes where the tests' own errors go."""
    return subprocess.Popen(
        [sys.executable, "-m", "inference.engine", "--socket", str(socket), *options],
        cwd=ROOT,
        env={**os.environ, "TAXIMETER_ENGINE_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
