"""A server that speaks OpenAI's API and answers what a test tells it to, for the real `openai` client."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.sdk.serving import serving

#: Words that must not leave the process: they stand in every prompt and every answer here.
SECRETS = ("secret-prompt", "secret-answer", "secret-argument", "secret-result")

USAGE = {
    "prompt_tokens": 410, "completion_tokens": 58, "total_tokens": 468,
    "prompt_tokens_details": {"cached_tokens": 128}, "completion_tokens_details": {"reasoning_tokens": 20},
}  # fmt: skip
MESSAGES: list[Any] = [{"role": "user", "content": "secret-prompt"}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("refund", "escalate")
]


def completion(*, tool: str | None = None, **changes: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "secret-answer"}
    if tool:
        function = {"name": tool, "arguments": '{"a": "secret-argument"}'}
        message = {**message, "content": None, "tool_calls": [{"id": "t1", "type": "function", "function": function}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5-mini-2026-01-01", "usage": USAGE}
    return {**whole, "choices": [choice], **changes}


def chunks(*, usage: bool = True, tool: str | None = None) -> list[dict[str, Any]]:
    """A stream of three parts and, where it was asked for, the usage behind them."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini-2026-01-01"}

    def part(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    parts = [part({"role": "assistant", "content": "secret-"}), part({"content": "answer"}), part({}, "stop")]
    if tool:
        call = {"index": 0, "id": "t1", "type": "function", "function": {"name": tool, "arguments": ""}}
        more = {"index": 0, "function": {"arguments": '{"a": "secret-argument"}'}}
        parts = [part({"tool_calls": [call]}), part({"tool_calls": [more]}), part({}, "tool_calls")]
    return parts + ([{**base, "choices": [], "usage": USAGE}] if usage else [])


def response(*, status: str = "completed", tool: str | None = None) -> dict[str, Any]:
    """An answer of the Responses API."""
    content = [{"type": "output_text", "text": "secret-answer", "annotations": []}]
    output: dict[str, Any] = {
        "id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content
    }  # fmt: skip
    if tool:
        output = {"id": "f", "type": "function_call", "call_id": "t1", "name": tool, "arguments": "secret-argument"}
    usage = {
        "input_tokens": 410, "output_tokens": 58, "total_tokens": 468,
        "input_tokens_details": {"cached_tokens": 128}, "output_tokens_details": {"reasoning_tokens": 20},
    }  # fmt: skip
    return {
        "id": "r", "object": "response", "created_at": 1, "model": "gpt-5-mini-2026-01-01", "status": status,
        "output": [output], "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "error": None, "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
    }  # fmt: skip


EMBEDDINGS = {
    "object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 7, "total_tokens": 7},
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
}  # fmt: skip


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        #: What is answered next: a body, a list of parts (a stream), a status (an error), or None (no answer at all).
        self.answers: list[Any] = []
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, _, body in self.requests]

    def handle_error(self, *_: object) -> None:
        """Clients of these tests leave while they are answered."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {}, {}))
        self._send(200, json.dumps(self.server.answers.pop(0)).encode())

    def do_POST(self) -> None:
        if "Content-Length" not in self.headers:
            self.headers["Content-Length"] = "0"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body or b"{}")
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            self.connection.close()
        elif isinstance(answer, int):
            self._send(answer, json.dumps({"error": {"message": "secret-answer", "code": "e"}}).encode())
        elif isinstance(answer, list):
            self._stream(answer, body)
        else:
            self._send(200, json.dumps(answer).encode())

    def _stream(self, parts: list[Any], body: dict[str, Any]) -> None:
        """As OpenAI does it: the usage comes last, and only where it was asked for."""
        if not (body.get("stream_options") or {}).get("include_usage"):
            parts = [part for part in parts if part is None or part.get("choices") != []]
        broken = None in parts
        named = [f"event: {part['type']}\n" if part and "type" in part else "" for part in parts]
        lines = [f"{name}data: {json.dumps(part)}\n\n" for name, part in zip(named, parts, strict=True) if part]
        payload = "".join(lines if broken else [*lines, "data: [DONE]\n\n"]).encode()
        self._send(200, payload, type="text/event-stream", length=len(payload) + broken)

    def _send(self, status: int, payload: bytes, *, type: str = "application/json", length: int | None = None) -> None:
        """With a `length` beyond the payload, the answer breaks off."""
        self.send_response(status)
        headers = {"Content-Type": type, "Content-Length": str(length or len(payload)), "retry-after-ms": "1"}
        for name, value in {**headers, **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        if length and length > len(payload):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def openai_server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server
