"""The web server's way to the engine process."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from inference.api.errors import EngineUnavailable

logger = logging.getLogger("inference")

#: A request may wait in line, and take as long as the engine lets it; nobody waits longer than this for a word.
_SECONDS = 900.0
_MOST_TOLD_AT_ONCE = 100


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(settings.ENGINE_SOCKET)


class Answer:
    """The engine's answer, its body unread."""

    def __init__(self, connection: _Connection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.status = response.status
        self.headers = response.headers

    @property
    def comes_in_pieces(self) -> bool:
        """Whether it is made while it is sent: a stream, or a whole answer that takes long."""
        return self._response.chunked is True

    def read(self) -> bytes:
        """The whole body; raises `EngineUnavailable` where it breaks off."""
        try:
            return self._response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _unavailable(error) from None
        finally:
            self.close()

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, each piece some whole lines; raises `EngineUnavailable` where it breaks off."""
        rest = b""
        try:
            while piece := self._response.read1(65536):
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                if newline:
                    yield whole + newline
            if self._response.length or not self._response.isclosed():
                raise http.client.IncompleteRead(b"")
        except (OSError, http.client.HTTPException) as error:
            raise _unavailable(error) from None

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class _Recorded:
    """Ids of calls that are in the log: the engine is told with the next request, so that it lets go of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: deque[str] = deque(maxlen=10_000)

    def add(self, request_id: str) -> None:
        with self._lock:
            self._ids.append(request_id)

    def take(self) -> list[str]:
        with self._lock:
            return [self._ids.popleft() for _ in range(min(len(self._ids), _MOST_TOLD_AT_ONCE))]


recorded = _Recorded()


def send(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    request_id: str = "",
    call: Mapping[str, Any] | None = None,
    seconds: float = _SECONDS,
) -> Answer:
    """Sends a request to the engine; raises `EngineUnavailable`, also after so many `seconds` without a word.

    `call` is what the call's event is to say besides what the engine measures: the engine keeps it with the
    account until it is told that the call is recorded.
    """
    headers = {"Authorization": f"Bearer {settings.ENGINE_SECRET}", "X-Request-Id": request_id}
    if call is not None:
        headers |= {"X-Taximeter-Call": json.dumps(call), "X-Taximeter-Recorded": " ".join(recorded.take())}
        headers |= {"X-Taximeter-Pulse": "1"}
    connection = _Connection("engine", timeout=seconds)
    try:
        connection.request(method, path, body, headers)
        return Answer(connection, connection.getresponse())
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise _unavailable(error) from None


def ask(method: str, path: str, content: Mapping[str, Any] | None = None, *, seconds: float = _SECONDS) -> Any:
    """The engine's JSON answer to a small question; raises `EngineUnavailable`, also where it refuses."""
    answer = send(method, path, None if content is None else json.dumps(content).encode(), seconds=seconds)
    body = answer.read()
    if answer.status != 200:
        raise EngineUnavailable(f"The engine refused: {body[:500].decode(errors='replace')}", code="engine_refused")
    return json.loads(body)


def call_off(request_id: str) -> None:
    """Ask the engine to end a request; its stream then ends with what it used."""
    try:
        ask("DELETE", f"/v1/requests/{request_id}")
    except EngineUnavailable:
        logger.warning("request %s could not be called off", request_id)


def _unavailable(error: Exception) -> EngineUnavailable:
    logger.warning("the engine did not answer: %s", error)
    return EngineUnavailable("The engine is not answering; try again in a moment")
