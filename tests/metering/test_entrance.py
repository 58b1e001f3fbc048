"""What stands before Django, with the production web server: bodies of every kind, and requests that wait."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import requests

from launcher import process
from launcher.services import Services
from tests.inference.engine_process import MODELS, Engine, start_engine
from tests.system import System, system_on

Build = Callable[..., dict[str, Any]]


@dataclass
class Client:
    system: System
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}

    def post(self, path: str, data: Any, **headers: str) -> requests.Response:
        return requests.post(f"{self.system.address}{path}", data=data, headers=self.headers | headers, timeout=30)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.system.port), 30)

    def head(self, path: str, *more: str) -> bytes:
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in self.headers.items()), *more]
        return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def running_engine() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-llama.gguf")
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def client(services: Services, _system_template: None) -> Iterator[Client]:
    with system_on(services) as system:
        system.manage("create_organization", "Vendor")
        secret = system.manage("create_api_key", "--organization", "vendor", "--scope", "admin").stdout.strip()
        with running_engine() as engine:
            system.start("web", TAXIMETER_ENGINE_SOCKET=str(engine.socket))
            yield Client(system, secret)


def answer_of(connection: socket.socket) -> tuple[int, str, bytes]:
    """Status, head and body of one answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (part := connection.recv(65536))
        assert part, received
    head, _, body = received.partition(b"\r\n\r\n")
    text = head.decode().lower()
    length = int(text.partition("content-length:")[2].partition("\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(text.split()[1]), text, body


def test_bodies_in_chunks_count_like_any_other(client: Client, event: Build) -> None:
    body = json.dumps([event(f"e{i}") for i in range(2000)]).encode()
    pieces = [body[start : start + 7001] for start in range(0, len(body), 7001)]
    assert client.post("/api/v1/events", iter(pieces)).json() == {"accepted": 2000, "duplicates": 0, "rejected": []}
    assert client.post("/api/v1/events", body).json() == {"accepted": 0, "duplicates": 2000, "rejected": []}
    meter = json.dumps({"key": "chunks", "event_type": "agent.turn", "aggregation": "count"}).encode()
    assert client.post("/api/v1/meters", iter([meter[:10], meter[10:]])).status_code == 201
    spans = b'{"resourceSpans": []}'
    assert client.post("/v1/traces", iter([spans[:5], spans[5:]])).status_code == 200
    refused = client.post("/v1/traces", iter([b'{"resourceSpans": 7}']))
    assert (refused.status_code, refused.json()["code"]) == (400, 3)

    with closing(client.connect()) as connection:
        connection.sendall(client.head("/api/v1/events", "Transfer-Encoding: chunked"))
        one = json.dumps(event("by hand")).encode()
        for part in (one[:3], one[3:4], one[4:]):
            time.sleep(0.05)
            connection.sendall(f"{len(part):x};extension=1\r\n".encode() + part + b"\r\n")
        connection.sendall(b"0\r\nTrailer: x\r\n\r\n")
        assert answer_of(connection)[0] == 200
        connection.sendall(client.head("/api/v1/events", f"Content-Length: {len(one)}") + one)
        assert json.loads(answer_of(connection)[2])["duplicates"] == 1

    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 1024 * 1024

    for path in ("/api/v1/events", "/api/v1/meters", "/v1/chat/completions", "/v1/traces"):
        refused = client.post(path, endless())
        assert refused.status_code == 413, (path, refused.text)
    assert client.post("/api/v1/events", b" " * 17 * 1024 * 1024).json()["code"] == "too_large"


def test_a_body_in_frames_of_http_2_counts_without_its_length(client: Client, event: Build) -> None:
    """By hand (RFC 9113): a client's preface, settings, headers without compression, and the body in two frames."""

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload

    def header(name: str, value: str) -> bytes:
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    body = json.dumps(event("by frames")).encode()
    names = {":method": "POST", ":scheme": "http", ":path": "/api/v1/events", ":authority": "127.0.0.1"}
    headers = b"".join(header(name.lower(), value) for name, value in (names | client.headers).items())
    with closing(client.connect()) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, headers))
        connection.sendall(frame(0, 0, 1, body[:20]) + frame(0, 1, 1, body[20:]))
        received = b""
        while b"rejected" not in received:
            received += (part := connection.recv(65536))
            assert part, received
    assert b'{"accepted":1,"duplicates":0,"rejected":[]}' in received


def test_a_body_that_breaks_off_is_not_taken(client: Client, event: Build) -> None:
    body = json.dumps(event("half")).encode()
    with closing(client.connect()) as connection:
        connection.sendall(client.head("/api/v1/events", f"Content-Length: {len(body) + 5}") + body)
        connection.shutdown(socket.SHUT_WR)
        status, _, answer = answer_of(connection)
    assert (status, json.loads(answer)["code"]) == (400, "body_incomplete")
    assert client.post("/api/v1/events", body).json()["accepted"] == 1


def test_slow_senders_hold_up_nobody_else(client: Client, event: Build) -> None:
    with ExitStack() as slow:
        for _ in range(30):
            connection = slow.enter_context(closing(client.connect()))
            connection.sendall(client.head("/api/v1/events", "Content-Length: 1000") + b"[")
        started = time.monotonic()
        assert client.post("/api/v1/events", json.dumps(event("quick"))).json()["accepted"] == 1
        assert time.monotonic() - started < 20


def test_pages_that_take_long_do_not_hold_up_the_events_door(client: Client, event: Build) -> None:
    with psycopg.connect(client.system.postgres_url) as other, ExitStack() as waiting:
        other.execute("LOCK TABLE billing_plan")
        for _ in range(8):
            connection = waiting.enter_context(closing(client.connect()))
            connection.sendall(client.head("/api/v1/plans").replace(b"POST", b"GET"))
        time.sleep(0.2)
        started = time.monotonic()
        assert client.post("/api/v1/events", json.dumps(event("meanwhile"))).json()["accepted"] == 1
        assert requests.get(f"{client.system.address}/healthz", timeout=20).status_code == 200
        assert time.monotonic() - started < 20


def test_requests_share_few_database_connections(client: Client, event: Build) -> None:
    body = json.dumps(event()).encode()
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(client.connect())) for _ in range(60)]
        for connection in connections:
            connection.sendall(client.head("/api/v1/events", f"Content-Length: {len(body)}") + body)
        assert {answer_of(connection)[0] for connection in connections} == {200}
        with psycopg.connect(client.system.postgres_url) as other:
            count = other.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'taximeter'"
                " AND datname = current_database()"
            ).fetchone()
    assert count is not None
    assert 1 <= count[0] <= 8  # three places for events, four for all else, and a chat in the test before


def test_streams_give_their_places_back_read_to_the_end_or_not(client: Client) -> None:
    ask = {"model": "tiny-random-llama", "messages": [{"role": "user", "content": "Name a colour"}], "stream": True}
    for number in range(24):
        left_early = bool(number % 2)
        with requests.post(
            f"{client.system.address}/v1/chat/completions",
            data=json.dumps(ask | {"max_tokens": 400 if left_early else 8}).encode(),
            headers=client.headers,
            stream=True,
            timeout=30,
        ) as answer:
            assert answer.status_code == 200, answer.text
            lines = answer.iter_lines()
            assert next(lines).startswith(b"data: ")
            assert left_early or b"data: [DONE]" in list(lines)
    with psycopg.connect(client.system.postgres_url, autocommit=True) as other:

        def all_recorded() -> bool:
            count = other.execute("SELECT COUNT(*) FROM metering_usageevent WHERE type = 'inference.call'").fetchone()
            return count == (24,)

        assert process.wait_until(all_recorded, seconds=60)
