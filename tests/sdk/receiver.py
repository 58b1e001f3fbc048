"""A small real HTTP server that takes events as Taximeter does, or misbehaves as it is told to."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.sdk.serving import serving

Event = dict[str, Any]
Misbehaviour = Callable[["Handler", list[Event]], None]


class Receiver(ThreadingHTTPServer):
    """Keeps each identity once, in `stored`, in the order of arrival. `script` is worked off first, one a request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script: list[Misbehaviour] = []
        self.always: Misbehaviour | None = None
        self.stored: dict[tuple[str, str], Event] = {}
        self.batches: list[list[Event]] = []
        self.keeps_batches = True
        #: Without it, an identity is known, and not what came under it.
        self.keeps_content = True
        self.requests = 0
        self.duplicates = 0
        self.refuses: Callable[[Event], tuple[str, str] | None] = lambda event: None
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def ids(self) -> list[str]:
        with self.lock:
            return [id for _, id in self.stored]

    def store(self, events: list[Event]) -> dict[str, Any]:
        """What the server does with a batch, and its answer."""
        accepted = duplicates = 0
        rejected = []
        with self.lock:
            for index, event in enumerate(events):
                refusal = self.refuses(event)
                identity = (event["source"], event["id"])
                if refusal:
                    rejected.append({"index": index, "id": event["id"], "code": refusal[0], "detail": refusal[1]})
                elif identity not in self.stored:
                    self.stored[identity] = event if self.keeps_content else {}
                    accepted += 1
                elif not self.keeps_content or self.stored[identity] == event:
                    duplicates += 1
                else:
                    rejected.append(
                        {"index": index, "id": event["id"], "code": "id_conflict", "detail": "other content"}
                    )
            self.duplicates += duplicates
        return {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients are killed in these tests


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        events = json.loads(gzip.decompress(body))
        server = self.server
        with server.lock:
            server.requests += 1
            if server.keeps_batches:
                server.batches.append(events)
            misbehave = server.script.pop(0) if server.script else server.always
        with contextlib.suppress(OSError):
            if misbehave is not None:
                misbehave(self, events)
            else:
                self.answer(200, server.store(events))

    def answer(
        self, status: int, content: Any, headers: dict[str, str] | None = None, *, cut: int | None = None
    ) -> None:
        payload = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload[:cut])

    def log_message(self, *_: object) -> None:
        pass


def answering(status: int, content: Any = None, **headers: str) -> Misbehaviour:
    """A status of the test's choice; headers with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, events: handler.answer(status, content or {}, named)


def storing_then_resetting(handler: Handler, events: list[Event]) -> None:
    """Stores the batch; then the connection is reset instead of an answer."""
    handler.server.store(events)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def storing_and_answering_half(handler: Handler, events: list[Event]) -> None:
    """Stores the batch; then the answer breaks off in the middle."""
    handler.answer(200, handler.server.store(events), cut=20)
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def leaving_out_one(handler: Handler, events: list[Event]) -> None:
    """Stores nothing; its receipt says nothing of one of the events."""
    handler.answer(200, {"accepted": len(events) - 1, "duplicates": 0, "rejected": []})


def slowly(seconds: float) -> Misbehaviour:
    """Stores the batch, and answers only after `seconds`."""

    def answer_late(handler: Handler, events: list[Event]) -> None:
        stored = handler.server.store(events)
        time.sleep(seconds)
        handler.answer(200, stored)

    return answer_late


def too_large_above(events_at_most: int) -> Misbehaviour:
    """413 for a batch of more than `events_at_most` events."""

    def answer(handler: Handler, events: list[Event]) -> None:
        if len(events) > events_at_most:
            handler.answer(413, {"code": "too_many_events"})
        else:
            handler.answer(200, handler.server.store(events))

    return answer


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver that serves for the block."""
    with serving(Receiver(port)) as server:
        yield server


def wait_for(condition: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    """Until `condition` holds; whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
