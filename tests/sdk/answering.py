"""A server on a free port that answers what the test tells it to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.sdk.serving import serving


@dataclass
class Answer:
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    close: bool = False
    delay: float = 0


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.paths: list[str] = []
        self.connections: list[Any] = []
        self.headers: list[Any] = []
        self.bodies: list[Any] = []
        #: What is answered where the test has told nothing.
        self.usual = Answer()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Clients of these tests leave while they are answered."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self._answer()

    def _answer(self) -> None:
        self.server.paths.append(self.path)
        self.server.headers.append(self.headers)
        answer = self.server.answers.pop(0) if self.server.answers else self.server.usual
        time.sleep(answer.delay)
        payload = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload[: answer.cut])
        if answer.cut is not None or answer.close:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[Server]:
    """A server that runs."""
    with serving(Server()) as server:
        yield server


def problem(status: int, code: str, **more: Any) -> Answer:
    return Answer(status, {"type": f"urn:taximeter:error:{code}", "title": "T", "status": status, "code": code, **more})
