"""The engine's HTTP API on a unix socket: OpenAI's chat completions, and nothing without the secret.

The connection is one request long (no keep-alive), so that a client that leaves is seen at once.
"""

from __future__ import annotations

import hmac
import json
import logging
import select
import socket
import socketserver
import time
import uuid
from http.server import BaseHTTPRequestHandler
from typing import Any

from inference.domain.chat import ChatRequest, ChatRequestError, parse_chat_request
from inference.domain.compute import CallUsage
from inference.engine.admission import EngineBusy
from inference.engine.service import EngineService
from kernel.errors import TaximeterError

logger = logging.getLogger("inference.engine")

MAX_BODY_BYTES = 2 * 1024 * 1024
#: A client that takes nothing for this long is gone: it would hold up everybody behind it.
_SEND_SECONDS = 20.0


class EngineHttpServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves `service` on the unix socket of its configuration."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: EngineService) -> None:
        self.service = service
        super().__init__(str(service.config.socket), EngineRequestHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("a request to the engine failed")


class EngineRequestHandler(BaseHTTPRequestHandler):
    server: EngineHttpServer
    protocol_version = "HTTP/1.1"
    timeout = _SEND_SECONDS

    def setup(self) -> None:
        super().setup()
        self.answered = False

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, self.server.service.health())
        elif self.path == "/v1/models":
            self._guarded(lambda: self._send(200, self.server.service.models()))
        else:
            self._not_found()

    def do_POST(self) -> None:
        if self.path == "/v1/chat/completions":
            self._guarded(self._chat)
        else:
            self._not_found()

    def do_DELETE(self) -> None:
        prefix, _, request_id = self.path.rpartition("/")
        if prefix == "/v1/requests":
            self._guarded(lambda: self._send(200, {"cancelled": self.server.service.call_off(request_id)}))
        else:
            self._not_found()

    def _guarded(self, handle: Any) -> None:
        expected = f"Bearer {self.server.service.config.secret}"
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode()):
            self._error(401, "The engine's secret is missing or wrong", code="invalid_api_key")
            return
        try:
            handle()
        except (BrokenPipeError, ConnectionError, TimeoutError):
            self.close_connection = True
        except ChatRequestError as error:
            self._error(_status_of(error), error.detail, code=error.code, param=error.param)
        except EngineBusy as error:
            self._error(429, error.detail, code=error.code, headers={"Retry-After": "2"})
        except TaximeterError as error:
            self._error(500, error.detail, code=error.code)

    def _chat(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            raise ChatRequestError("Send the body with its Content-Length")
        if int(length) > MAX_BODY_BYTES:
            raise ChatRequestError(f"The body is larger than {MAX_BODY_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise ChatRequestError(f"The body is not valid JSON: {error}") from None
        request = parse_chat_request(body)
        reply = _Reply(self, request)
        try:
            self._answer(request, reply)
        except (OSError, TaximeterError):
            if reply.usage.output_tokens:
                logger.warning("an answer was not delivered; it used %s", reply.usage.as_json())
            raise

    def _answer(self, request: ChatRequest, reply: _Reply) -> None:
        usage = self.server.service.answer(
            request,
            reply.on_text,
            request_id=self.headers.get("X-Request-Id") or reply.id,
            gone=self._client_gone,
        )
        reply.finish(usage)

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        if not readable:
            return False
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _send(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        payload = json.dumps(content).encode()
        self.answered = True
        self.close_connection = True
        self.send_response(status)
        all_headers = {
            "Content-Type": "application/json",
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
        error = {"message": message, "type": _type_of(status), "param": param, "code": code}
        try:
            if not self.answered:
                self._send(status, {"error": error}, headers)
            else:  # a stream has begun; its last word is the error
                self.send_event({"error": error})
                self.end_events()
        except OSError:
            self.close_connection = True

    def _not_found(self) -> None:
        self._error(404, f"There is nothing at {self.command} {self.path}", code="not_found")

    def begin_events(self) -> None:
        """Starts a stream of server-sent events; its end is the end of the connection's chunked body."""
        self.answered = True
        self.close_connection = True
        self.send_response(200)
        for name, value in (
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()

    def send_event(self, content: dict[str, Any], note: dict[str, Any] | None = None) -> None:
        """One event; `note` goes before it as a comment, which clients of the stream do not see."""
        comment = f": taximeter {json.dumps(note)}\n" if note else ""
        self._send_chunk(f"{comment}data: {json.dumps(content)}\n\n")

    def send_note(self, note: dict[str, Any]) -> None:
        self._send_chunk(f": taximeter {json.dumps(note)}\n\n")

    def end_events(self) -> None:
        self._send_chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _send_chunk(self, text: str) -> None:
        payload = text.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(payload), payload))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


class _Reply:
    """One chat completion in the making, streamed or whole."""

    def __init__(self, handler: EngineRequestHandler, request: ChatRequest) -> None:
        self.id = f"chatcmpl-{uuid.uuid4().hex}"
        self._handler = handler
        self._request = request
        self._service = handler.server.service
        self._created = int(time.time())
        self._parts: list[str] = []
        self.usage = CallUsage()

    def on_text(self, text: str, usage: CallUsage) -> None:
        """A piece of the answer. In a stream the first one sends the headers, so errors before it keep their status."""
        self.usage = usage
        if not text:
            return
        self._parts.append(text)
        if self._request.stream:
            if not self._handler.answered:
                self._begin()
            self._handler.send_event(self._chunk({"content": text}), note=self._service.account(usage))

    def finish(self, usage: CallUsage) -> None:
        account = self._service.account(usage)
        counts = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        }
        # OpenAI's clients know `stop` and `length`; that a call was cut off is in the account.
        reason = usage.finish_reason if usage.finish_reason in {"stop", "length"} else "stop"
        if not self._request.stream:
            message = {"role": "assistant", "content": "".join(self._parts)}
            choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
            self._handler._send(
                200, {**self._head("chat.completion"), "choices": [choice], "usage": counts, "taximeter": account}
            )
            return
        if not self._handler.answered:
            self._begin()
        self._handler.send_event(self._chunk({}, reason))
        if self._request.include_usage:
            last = {**self._head("chat.completion.chunk"), "choices": [], "usage": counts, "taximeter": account}
            self._handler.send_event(last)
        self._handler.send_note(account)
        self._handler.end_events()

    def _begin(self) -> None:
        self._handler.begin_events()
        self._handler.send_event(self._chunk({"role": "assistant", "content": ""}))

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self._created, "model": self._service.file.id}


def _status_of(error: ChatRequestError) -> int:
    return 404 if error.code == "model_not_found" else 400


def _type_of(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
