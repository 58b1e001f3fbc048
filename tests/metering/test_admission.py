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
from django.urls import Resolver404, resolve

from launcher import process
from launcher.services import Services
from tests.conformance import document
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
            limits = {"TAXIMETER_REQUESTS_PER_MINUTE": "100000"}
            system.start("web", TAXIMETER_ENGINE_SOCKET=str(engine.socket), **limits)
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
    assert client.post("/api/v1/events", iter(pieces)).json()["accepted"] == 2000
    assert client.post("/api/v1/events", body).json()["duplicates"] == 2000
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


def test_a_connection_that_speaks_http_2_is_closed(client: Client) -> None:
    with closing(client.connect()) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        while part := connection.recv(65536):
            assert b" 200 " not in part


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
    # Three places for events, four for all else, a chat in the test before, and the look-up of keys.
    assert 1 <= count[0] <= 9


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


@pytest.fixture(scope="module")
def other_client(client: Client) -> Client:
    """A client of another organization."""
    client.system.manage("create_organization", "Other")
    secret = client.system.manage("create_api_key", "--organization", "other", "--scope", "admin").stdout.strip()
    return Client(client.system, secret)


def test_slow_senders_of_every_kind_keep_nobody_out(client: Client, other_client: Client, event: Build) -> None:
    """Headers, bodies with a length, in chunks and in gzip, with and without a key, and silent connections."""
    keyless = Client(client.system, "tx_unknown")
    browser = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nemail="
    kinds = {
        "silent": b"",
        "head": b"POST /api/v1/events HTTP/1.1\r\nHost: 127",
        "start of HTTP/2": b"PRI",
        "body": client.head("/api/v1/events", "Content-Length: 1000") + b"[",
        "large body": client.head("/api/v1/events", "Content-Length: 16000000") + b"[",
        "gzip": client.head("/api/v1/events", "Content-Length: 1000", "Content-Encoding: gzip") + b"\x1f\x8b",
        "chunks": client.head("/v1/traces", "Transfer-Encoding: chunked") + b"1\r\n[\r\n",
        "call": client.head("/v1/chat/completions", "Content-Length: 1000") + b"{",
        "sign-in": browser % b"/sign-in",
        "webhook": browser % b"/webhooks/stripe/x",
        "pay page": browser % b"/pay/x",
    }
    refused = {
        "body": keyless.head("/api/v1/events", "Content-Length: 1000") + b"[",
        "chunks": keyless.head("/api/v1/meters", "Transfer-Encoding: chunked") + b"1\r\n[\r\n",
        "call": keyless.head("/v1/chat/completions", "Content-Length: 1000") + b"{",
        "no key": b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n[",
    }
    with ExitStack() as stack:

        def hold(start: bytes, count: int) -> list[socket.socket]:
            held = [stack.enter_context(closing(client.connect())) for _ in range(count)]
            for connection in held:
                connection.sendall(start)
            return held

        for start in kinds.values():
            hold(start, 60)
        without_key = [connection for start in refused.values() for connection in hold(start, 65)]
        for number, one in enumerate((client, other_client)):
            assert one.post("/api/v1/events", json.dumps(event(f"beside slow ones {number}"))).json()["accepted"] == 1
            assert one.post("/v1/traces", b'{"resourceSpans": []}').status_code == 200
        assert requests.get(f"{client.system.address}/sign-in", timeout=30).status_code == 200
        tried = requests.post(f"{client.system.address}/sign-in", {"email": "a@b.example"}, timeout=30)
        assert tried.status_code in {200, 403, 422}
        # Without a key that works nothing is waited for.
        assert {answer_of(connection)[0] for connection in without_key} == {401}


def test_a_request_of_another_organization_does_not_wait_for_those_of_a_greedy_one(
    client: Client, other_client: Client
) -> None:
    head = client.head("/api/v1/plans").replace(b"POST", b"GET")
    with psycopg.connect(client.system.postgres_url) as other, ExitStack() as greedy:
        other.execute("LOCK TABLE billing_plan")
        held = [greedy.enter_context(closing(client.connect())) for _ in range(60)]
        for connection in held:
            connection.sendall(head)
        # Until the lock times out nothing of them ends, and the other's customers are listed meanwhile.
        listed = requests.get(f"{client.system.address}/api/v1/customers", headers=other_client.headers, timeout=30)
        assert listed.status_code == 200
        assert requests.get(f"{client.system.address}/sign-in", timeout=30).status_code == 200
        [waiting] = other.execute(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone() or [0]
        assert waiting > 0


def test_readers_that_stop_reading_hold_up_nobody(client: Client, event: Build) -> None:
    events = [event(f"read {number}", data={"text": "x" * 2000}) for number in range(1000)]
    assert client.post("/api/v1/events", json.dumps(events)).json()["accepted"] == 1000
    head = client.head("/api/v1/events?limit=1000").replace(b"POST", b"GET")
    ask = {"model": "tiny-random-llama", "messages": [{"role": "user", "content": "Go on"}], "stream": True}
    body = json.dumps(ask | {"max_tokens": 400}).encode()
    with ExitStack() as stack:
        for start in [head] * 12 + [client.head("/v1/chat/completions", f"Content-Length: {len(body)}") + body] * 6:
            connection = stack.enter_context(closing(socket.socket()))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", client.system.port))
            connection.sendall(start)
        answer = requests.get(f"{client.system.address}/api/v1/events?limit=5", headers=client.headers, timeout=60)
        assert answer.status_code == 200
        chat = client.post("/v1/chat/completions", json.dumps(ask | {"max_tokens": 4, "stream": False}))
        assert chat.status_code == 200


def test_answers_to_a_key_say_how_many_requests_it_has_left(client: Client, other_client: Client) -> None:
    answers = [requests.get(f"{client.system.address}/api/v1/meters", headers=other_client.headers, timeout=30)]
    answers.append(other_client.post("/v1/traces", b"{"))
    assert [answer.status_code for answer in answers] == [200, 400]
    for answer in answers:
        assert answer.headers["RateLimit-Policy"] == '"key";q=100000;w=60'
        assert answer.headers["RateLimit"].startswith('"key";r=')
    keyless = requests.get(f"{client.system.address}/sign-in", timeout=30)
    assert "RateLimit" not in keyless.headers


def test_each_address_refuses_a_wrong_key_in_the_form_of_its_other_refusals(client: Client) -> None:
    """As the OpenAPI document says of each: a problem, OTLP's Status or OpenAI's error."""
    asked = 0
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer tx_unknown"
        for template, operations in document().schema["paths"].items():
            path = template.replace("{", "").replace("}", "")
            try:
                resolve(path)
            except Resolver404:  # its parameters are numbers or names of actions
                continue
            for method, operation in operations.items():
                if not operation.get("security") or template == "/api/v1/schema/":
                    continue
                answer = session.request(method, client.system.address + path, timeout=60)
                assert answer.status_code == 401, path
                assert answer.headers["Content-Type"].partition(";")[0] in operation["responses"]["401"]["content"], (
                    path
                )
                is_openai = path.startswith("/v1/") and path not in {"/v1/traces", "/v1/logs"}
                assert ("error" if is_openai else "code") in answer.json(), path
                asked += 1
    assert asked > 100
