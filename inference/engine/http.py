"""The engine's HTTP API on a unix socket: OpenAI's, and nothing without the secret.

The connection is one request long (no keep-alive), so that a client that leaves is seen at once.
"""

from __future__ import annotations

import hmac
import json
import logging
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from inference.domain.requests import RequestError
from inference.engine import routes
from inference.engine.admission import EngineBusy, QueueTimeout
from inference.engine.service import Caller, EngineService
from kernel.errors import TaximeterError

logger = logging.getLogger("inference.engine")

MAX_BODY_BYTES = 2 * 1024 * 1024
#: A client that takes nothing for this long is gone: it would hold up everybody behind it.
_SEND_SECONDS = 20.0
#: The content type of a stream of server-sent events.
EVENTS = "text/event-stream"


class EngineHttpServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves `service` on the unix socket of its configuration."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, service: EngineService) -> None:
        self.service = service
        self._lock = threading.Lock()
        self._under_way = 0
        super().__init__(str(service.config.socket), EngineRequestHandler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._under_way += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._under_way -= 1

    def finish_requests(self, *, within: float) -> None:
        """Waits until all answers are sent to their ends, `within` seconds at most."""
        deadline = time.monotonic() + within
        while self._under_way and time.monotonic() < deadline:
            time.sleep(0.02)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("a request to the engine failed")


class EngineRequestHandler(BaseHTTPRequestHandler):
    server: EngineHttpServer
    protocol_version = "HTTP/1.1"
    timeout = _SEND_SECONDS

    def setup(self) -> None:
        super().setup()
        self.answered = False
        self.sends_events = False
        self.broken = False

    def do_GET(self) -> None:
        if self.path == "/health":
            self.send(200, routes.health(self.server.service))
        else:
            self._route("GET")

    def do_POST(self) -> None:
        self._route("POST")

    def do_DELETE(self) -> None:
        self._route("DELETE")

    def _route(self, method: str) -> None:
        url = urlsplit(self.path)
        route, argument = routes.find(method, url.path)
        if route is None:
            self._error(404, f"There is nothing at {method} {url.path}", code="not_found")
            return
        expected = f"Bearer {self.server.service.config.secret}"
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode()):
            self._error(401, "The engine's secret is missing or wrong", code="invalid_api_key")
            return
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self._guarded(lambda: route(self, unquote(argument) or query))

    def _guarded(self, handle: Callable[[], None]) -> None:
        try:
            handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except RequestError as error:
            self._error(routes.status_of(error), error.detail, code=error.code, param=error.param)
        except EngineBusy as error:
            self._error(429, error.detail, code=error.code, headers={"Retry-After": str(error.retry_after)})
        except QueueTimeout as error:
            self._error(503, error.detail, code=error.code, headers={"Retry-After": "5"})
        except TaximeterError as error:
            self._error(500, error.detail, code=error.code)
        except Exception:
            logger.exception("a request to the engine failed")
            self._error(500, "The engine failed", code="engine_failed")

    @property
    def service(self) -> EngineService:
        return self.server.service

    def body(self) -> Any:
        """The request's body as JSON; raises `RequestError`."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RequestError("Send the body with its Content-Length")
        if int(length) > MAX_BODY_BYTES:
            raise RequestError(f"The body is larger than {MAX_BODY_BYTES} bytes", code="body_too_large")
        try:
            return _decoded(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RequestError(f"The body is not valid JSON: {error}", code="malformed_json") from None

    def caller(self, request_id: str) -> Caller:
        """Who asks, by the headers. What is to be recorded of the call comes as JSON in `X-Taximeter-Call`."""
        if self.service.spool is not None:
            self.service.spool.recorded(self.headers.get("X-Taximeter-Recorded", "").split())
        call = json.loads(self.headers.get("X-Taximeter-Call") or "{}")
        customer = f"{call.get('organization_id', '')}/{call.get('customer') or ''}"
        return Caller(
            self.headers.get("X-Request-Id") or request_id,
            gone=lambda: self.broken or self._client_gone(),
            customer=customer,
            call=call,
        )

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        if not readable:
            return False
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK) == b"")
        except OSError:
            return True

    def send(self, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(content).encode(), "application/json", headers)

    def send_whole(self, status: int, content: Mapping[str, Any]) -> None:
        """An answer given whole, or what is left of it where signs of life went before."""
        if not self.answered:
            self.send(status, content)
            return
        self.send_chunk(f"{json.dumps(content)}\n")
        self.end_chunks()

    def send_bytes(
        self, status: int, payload: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.answered = True
        self.close_connection = True
        self.send_response(status)
        all_headers = {
            "Content-Type": content_type,
            "Content-Length": str(len(payload)),
            "Connection": "close",
            **(headers or {}),
        }
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def _error(
        self, status: int, message: str, *, code: str, param: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        error = {"message": message, "type": routes.type_of(status), "param": param, "code": code}
        try:
            if not self.answered:
                self.send(status, {"error": error}, headers)
            else:  # the answer has begun; its last word is the error
                text = json.dumps({"error": error})
                self.send_chunk(f"data: {text}\n\n" if self.sends_events else f"{text}\n")
                self.end_chunks()
        except OSError:
            self.close_connection = True

    @property
    def wants_pulse(self) -> bool:
        """Whether who asks wants signs of life where a whole answer takes its time."""
        return "X-Taximeter-Pulse" in self.headers

    def begin(self, content_type: str) -> None:
        """Starts an answer that is sent in pieces; its end is the end of the connection's chunked body."""
        self.answered = True
        self.sends_events = content_type == EVENTS
        self.close_connection = True
        self.send_response(200)
        for name, value in (
            ("Content-Type", content_type),
            ("Cache-Control", "no-store"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()

    def send_chunk(self, text: str) -> None:
        payload = text.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(payload), payload))

    def end_chunks(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def _decoded(body: bytes) -> Any:
    """The value of a JSON text; raises `ValueError`, also for half a surrogate pair, which no text can have."""
    value = json.loads(body)
    if b"\\ud" in body.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value
