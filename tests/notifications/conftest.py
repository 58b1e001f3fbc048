"""A receiver of webhooks: an HTTP server of its own, which answers as it is told and remembers what came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from notifications.facade import Announcement, announce
from notifications.models import WebhookEndpoint
from notifications.sending.requests import Rules
from notifications.sending.webhooks import Terms, send_webhooks
from notifications.services.endpoints import create_endpoint
from tests.api import Api

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)
SCHEDULE = (10, 100, 1000)


@dataclass
class Received:
    headers: dict[str, str]
    body: str

    @property
    def payload(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)

    @property
    def number(self) -> int:
        return self.payload["data"]["number"]

    def is_signed_with(self, secret: str) -> bool:
        # The library's clock is today's; the messages' is the test's.
        moment = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), tz=UTC)
        expected = Webhook(secret).sign(msg_id=self.headers["webhook-id"], timestamp=moment, data=self.body)
        return expected in self.headers["webhook-signature"].split(" ")


#: An answer: a status, headers and a body.
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Receiver:
    """`answer` makes the answer to what came; by default everything is welcome."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Reply] = lambda _: (204, {}, b"")

    @property
    def numbers(self) -> list[int]:
        return [one.number for one in self.received]

    def answers(self, *replies: int | Reply) -> None:
        """One after the other; the last one from then on."""
        queue = [(one, {}, b"") if isinstance(one, int) else one for one in replies]
        self.answer = lambda _: queue.pop(0) if len(queue) > 1 else queue[0]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            one = Received({name.lower(): value for name, value in self.headers.items()}, body)
            found.received.append(one)
            status, headers, text = found.answer(one)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/hooks?from=taximeter"
    yield found
    server.shutdown()
    server.server_close()


class Post:
    """The organization's side: announces, and sends at the time that the test says it is."""

    def __init__(self, api: Api) -> None:
        self.api, self.now = api, NOON
        self.terms = Terms(schedule=SCHEDULE, rules=Rules(allows_http=True, allowed=LOOPBACK), at_once=8)

    @property
    def organization_id(self) -> int:
        return self.api.organization.pk

    def listen(self, receiver: Receiver, *event_types: str) -> WebhookEndpoint:
        return create_endpoint(
            organization_id=self.organization_id, url=receiver.url, event_types=event_types, now=self.now
        )

    def announce(self, *numbers: int, subject: str = "inv_1", type: str = "invoice.finalized") -> None:
        announce([Announcement(self.organization_id, type, subject, {"number": n}, self.now) for n in numbers])

    def send(self) -> int:
        return send_webhooks(terms=self.terms, clock=lambda: self.now, seconds=20)

    def later(self, **span: int) -> Post:
        self.now += timedelta(**span)
        return self


@pytest.fixture
def post(api: Api) -> Post:
    return Post(api)
