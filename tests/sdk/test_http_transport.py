"""The HTTP transport against a real server on a free port that answers what the test tells it to."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from taximeter import DeliveryError, HttpTransport, Meter
from taximeter.transports import http as transports


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], dict[str, object]] | None] = []
        self.batches: list[list[dict[str, object]]] = []
        self.authorizations: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.batches.append(json.loads(gzip.decompress(body)))
        self.server.authorizations.append(self.headers["Authorization"])
        answer = self.server.answers.pop(0) if self.server.answers else (200, {}, _all(self.server.batches[-1]))
        if answer is None:  # the connection breaks after the batch was read
            self.close_connection = True
            self.connection.close()
            return
        status, headers, content = answer
        payload = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        pass


def _all(batch):
    return {"accepted": len(batch), "duplicates": 0, "rejected": []}


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def transport_to(server, waits, **options):
    return HttpTransport(server.address, api_key="k", sleep=waits.append, **options)


def test_a_task_arrives_as_one_compressed_batch(server):
    with Meter(source="desk", transport=transport_to(server, [])).task("t", customer="acme", agent="a") as task:
        with task.turn() as turn:
            turn.decision("route", choice="a")
        task.succeed()
    assert [[event["type"] for event in batch] for batch in server.batches] == [
        ["agent.decision", "agent.turn", "agent.task"]
    ]
    assert server.authorizations == ["Bearer k"]


def test_what_may_pass_is_tried_again_with_the_same_events(server):
    waits: list[float] = []
    server.answers = [(500, {}, {}), (429, {"Retry-After": "7"}, {}), None, (503, {}, {})]
    Meter(source="desk", transport=transport_to(server, waits)).record("t", "acme", {})
    assert len(server.batches) == 5
    assert all(batch == server.batches[0] for batch in server.batches)
    assert 0.25 <= waits[0] <= 0.5
    assert waits[1] == 7
    assert 1.0 <= waits[2] <= 2.0
    assert 2.0 <= waits[3] <= 4.0


def test_what_cannot_pass_is_not_tried_again_and_hands_the_events_back(server):
    waits: list[float] = []
    server.answers = [(401, {}, {"code": "api_key_invalid"})]
    meter = Meter(source="desk", transport=transport_to(server, waits))
    with pytest.raises(DeliveryError, match="api_key_invalid") as raised:
        meter.record("t", "acme", {}, id="one")
    assert raised.value.status == 401
    assert [event["id"] for event in raised.value.events] == ["one"]
    assert waits == []


def test_it_gives_up_after_its_attempts(server):
    waits: list[float] = []
    server.answers = [(500, {}, {})] * 3
    meter = Meter(source="desk", transport=transport_to(server, waits, attempts=3))
    with pytest.raises(DeliveryError):
        meter.record("t", "acme", {})
    assert len(server.batches) == 3
    assert len(waits) == 2


def test_refused_events_are_returned_with_their_place_and_reason(server, monkeypatch):
    monkeypatch.setattr(transports, "MAX_BATCH", 2)
    refused = {"index": 0, "id": "c", "code": "id_conflict", "detail": "other content"}
    server.answers = [
        (200, {}, {"accepted": 1, "duplicates": 1, "rejected": []}),
        (200, {}, {"accepted": 0, "duplicates": 0, "rejected": [refused]}),
    ]
    receipt = transport_to(server, [])([{"id": "a"}, {"id": "b"}, {"id": "c"}])
    assert [len(batch) for batch in server.batches] == [2, 1]
    assert (receipt.accepted, receipt.duplicates) == (1, 1)
    assert [(r.index, r.id, r.code) for r in receipt.rejected] == [(2, "c", "id_conflict")]


def test_a_delivery_error_does_not_hide_what_went_wrong_in_the_task(server):
    server.answers = [(401, {}, {})]
    meter = Meter(source="desk", transport=transport_to(server, []))
    with pytest.raises(ZeroDivisionError), meter.task("t", customer="acme", agent="a"):
        _ = 1 / 0


def test_nobody_listening_is_a_delivery_error():
    transport = HttpTransport("http://127.0.0.1:1", api_key="k", attempts=2, sleep=lambda _: None)
    with pytest.raises(DeliveryError, match="no answer"):
        transport([{"id": "a"}])
