"""HTTP with nothing but the standard library: kept-alive connections, time-outs, and requests that are tried again."""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from taximeter.client.errors import ApiError, NoAnswer, UnexpectedAnswer, error_of
from taximeter.version import __version__

logger = logging.getLogger("taximeter")

#: What passes by itself: asked again, it may be answered.
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_MOST_IDLE = 8
_LONGEST_BACKOFF = 8.0
#: The first sending of a request, whose answer was lost, is still being worked on.
_RUNNING = "idempotency_running"


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """The way to one server, for any number of threads. Connections are kept and used again; a fork opens its own.

    `attempts` is how often a request is sent in all: reads, and what is done once however often it is sent. What the
    server says with `Retry-After` is waited for up to `longest_wait` seconds; where it says more, its refusal is raised
    at once.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float,
        attempts: int,
        longest_wait: float,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is no http:// or https:// address")
        if attempts < 1:
            raise ValueError("attempts counts the first one too: at least 1")
        self._is_tls, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._timeout, self._attempts, self._longest_wait = timeout, attempts, longest_wait
        self._context = ssl_context
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Accept": "application/json",
            "User-Agent": f"taximeter-python/{__version__}",
        }
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._pid = os.getpid()

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The JSON that `path` answers; raises `ApiError`, `NoAnswer`, `UnexpectedAnswer`."""
        return _parsed(path, self.get_bytes(path, parameters))

    def post(
        self, path: str, body: Mapping[str, Any], *, within: float | None = None, idempotency_key: str | None = None
    ) -> Any:
        """The JSON that `path` answers to `body`, all attempts `within` seconds. Only for what may be sent twice."""
        headers = {**self._headers, "Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        request = Request("POST", self._base + path, headers, json.dumps(body).encode())
        return _parsed(path, self._send(request, within))

    def get_bytes(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """What `path` answers, as it is."""
        target = self._base + path + (f"?{urlencode(parameters)}" if parameters else "")
        return self._send(Request("GET", target, self._headers), within=None)

    def _send(self, request: Request, within: float | None) -> bytes:
        """The body of a 200. `within` bounds the seconds of all attempts, and of each wait on the network."""
        ends = None if within is None else time.monotonic() + within
        for attempt in range(1, self._attempts + 1):
            try:
                reply = self._ask(request, self._timeout if ends is None else min(self._timeout, _left(ends)))
                problem: ApiError | NoAnswer
                if reply.status == 200:
                    return reply.body
                problem = _refusal(reply)
            except (OSError, http.client.HTTPException) as error:
                problem = NoAnswer(f"no answer from {self._host}: {error or type(error).__name__}")
                problem.__cause__ = error
            wait = self._wait(problem, attempt)
            if wait is None or (ends is not None and wait >= ends - time.monotonic()):
                raise problem
            logger.info("%s: asked again in %.1f s", problem, wait)
            _rest(wait)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Closes the connections that are kept. The next question opens another."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _wait(self, problem: ApiError | NoAnswer, attempt: int) -> float | None:
        """Seconds until the next attempt, or None where there is none."""
        if attempt == self._attempts:
            return None
        if isinstance(problem, ApiError):
            if problem.status not in _TRANSIENT and problem.code != _RUNNING:
                return None
            if problem.retry_after is not None:
                # A little later than said, and not all clients at once.
                wait = problem.retry_after + random.uniform(0, 0.1)  # noqa: S311
                return wait if problem.retry_after <= self._longest_wait else None
        return random.uniform(0.5, 1) * min(_LONGEST_BACKOFF, 0.25 * float(2**attempt))  # noqa: S311

    def _ask(self, request: Request, timeout: float) -> Reply:
        """Sent once. A kept connection that the server has closed meanwhile is replaced, once, without a wait."""
        connection = self._take()
        is_kept = connection.sock is not None
        try:
            return self._exchange(connection, request, timeout)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not is_kept:
                raise
        return self._exchange(self._new(), request, timeout)

    def _exchange(self, connection: http.client.HTTPConnection, request: Request, timeout: float) -> Reply:
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        try:
            connection.request(request.method, request.target, request.body, dict(request.headers))
            answer = connection.getresponse()
            reply = Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            self._give_back(connection)
        return reply

    def _take(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._pid != os.getpid():  # a child must not speak on its parent's connections
                self._idle, self._pid = [], os.getpid()
            return self._idle.pop() if self._idle else self._new()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if self._pid == os.getpid() and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _new(self) -> http.client.HTTPConnection:
        if self._is_tls:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context or ssl.create_default_context()
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)


def _rest(seconds: float) -> None:
    time.sleep(seconds)


def _left(ends: float) -> float:
    """Seconds until `ends`, some at least: a time-out of none at all would mean not to wait."""
    return max(0.001, ends - time.monotonic())


def _parsed(path: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise UnexpectedAnswer(f"{path} answered no JSON: {body[:80]!r}") from None


def _refusal(reply: Reply) -> ApiError:
    return error_of(reply.status, reply.body, retry_after=_seconds(reply.headers.get("retry-after")))


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds: a number or a date (RFC 9110, section 10.2.3)."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return None
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds()) if until.tzinfo else None
