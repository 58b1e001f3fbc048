"""One request to a receiver: to an address that was checked, within limits of time and size, without redirects."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from kernel.targets import AddressRefused, Network, Target, UrlRefused, read_url, usable

#: Seconds until a connection stands, until more of the answer comes, and for all of it.
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5.0, 15.0, 20.0

#: Of an answer so much is read, and so many characters are kept.
_READ_BYTES, _KEPT = 16 * 1024, 1000

#: An idle connection is used again within so many seconds; so many are kept of one receiver.
_IDLE_SECONDS, _IDLE = 8.0, 32

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: a status, or the reason why there is none. `response` is the beginning of its body."""

    status: int | None
    error: str
    response: str
    retry_after: str | None
    duration_ms: int

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be asked: plain http or not, which networks beside the world's."""

    allows_http: bool
    allowed: tuple[Network, ...] = ()


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the machine finds them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _Connection(HTTPConnection):
    """Goes to `address` and nowhere else, whatever its host's name means by then."""

    def __init__(self, target: Target, address: str, context: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=CONNECT_SECONDS)
        self._address, self._context = address, context
        self.idle_since = 0.0

    def connect(self) -> None:
        connected: socket.socket = socket.create_connection((self._address, self.port), CONNECT_SECONDS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = connected
        if self._context is not None:
            self.sock = self._context.wrap_socket(connected, server_hostname=self.host)
        self.sock.settimeout(READ_SECONDS)


class Attempt:
    """A request under way, which another thread may cut off."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.is_cut_off = False
        self._connection: _Connection | None = None

    def cut_off(self) -> None:
        """End it: a receiver that sends a byte now and then would hold us for ever."""
        self.is_cut_off = True
        found = self._connection
        if found is not None and found.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(found.sock, socket.SHUT_RDWR)  # the class's own: TLS would say goodbye first

    def holds(self, connection: _Connection) -> None:
        self._connection = connection
        if self.is_cut_off:
            raise TimeoutError


class Requests:
    """Sends requests, from any number of threads; connections stay open for the next request to the same place."""

    def __init__(self, rules: Rules, *, look_up: Resolve = resolve) -> None:
        self._rules, self._look_up = rules, look_up
        self._context = ssl.create_default_context()
        self._idle: dict[Target, list[_Connection]] = {}
        self._lock = threading.Lock()

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes, attempt: Attempt | None = None) -> Answer:
        """POST `body` and read the answer. Never raises: what goes wrong is said in the answer."""
        attempt = attempt or Attempt()
        began = time.monotonic()
        status, error, response, retry_after = None, "", "", None
        try:
            status, response, retry_after = self._post(url, headers, body, attempt)
        except Exception as problem:  # whatever a receiver does to us is its own failure
            error = "timeout" if attempt.is_cut_off else _in_words(problem)
        return Answer(status, error, response, retry_after, int((time.monotonic() - began) * 1000))

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, attempt: Attempt) -> tuple[int, str, str | None]:
        target = read_url(url, allows_http=self._rules.allows_http, allowed=self._rules.allowed)
        sent = {**headers, "Host": target.host_header, "Accept-Encoding": "identity"}
        connection = self._idle_connection(target)
        if connection is not None:
            attempt.holds(connection)
            try:
                return self._exchange(connection, target, sent, body)
            except (ConnectionError, HTTPException):
                # Closed by the receiver between two requests. If it did read this one, it reads it twice.
                connection.close()
                if attempt.is_cut_off:
                    raise
        connection = self._open(target, attempt)
        return self._exchange(connection, target, sent, body)

    def _open(self, target: Target, attempt: Attempt) -> _Connection:
        addresses = usable(self._look_up(target.host, target.port), allowed=self._rules.allowed)
        problem: OSError = OSError("no address")
        for address in addresses:
            connection = _Connection(target, address, self._context if target.is_secure else None)
            attempt.holds(connection)
            try:
                connection.connect()
                attempt.holds(connection)
            except OSError as error:
                connection.close()
                problem = error
            else:
                return connection
        raise problem

    def _exchange(
        self, connection: _Connection, target: Target, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, str | None]:
        is_reusable = False
        try:
            connection.request("POST", target.path, body=body, headers=dict(headers))
            response = connection.getresponse()
            text = response.read(_READ_BYTES)
            is_reusable = response.isclosed() and not response.will_close
            return response.status, _kept(text), _header(response, "Retry-After")
        finally:
            if is_reusable:
                self._keep(target, connection)
            else:
                connection.close()

    def _idle_connection(self, target: Target) -> _Connection | None:
        oldest = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            idle = self._idle.get(target, [])
            while idle:
                connection = idle.pop()
                if connection.idle_since > oldest:
                    return connection
                connection.close()
        return None

    def _keep(self, target: Target, connection: _Connection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            idle = self._idle.setdefault(target, [])
            if len(idle) < _IDLE:
                idle.append(connection)
                return
        connection.close()


def _header(response: HTTPResponse, name: str) -> str | None:
    value: Any = response.getheader(name)
    return value[:100] if value else None


def _kept(body: bytes) -> str:
    return body.decode(errors="replace").replace("\x00", "")[:_KEPT]


def _in_words(problem: Exception) -> str:
    if isinstance(problem, UrlRefused | AddressRefused):
        return f"{problem.code}: {problem.detail}"[:200]
    if isinstance(problem, ssl.SSLError):
        return f"tls: {problem.reason or problem}"[:200]
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, socket.gaierror):
        return "name_unknown"
    if isinstance(problem, OSError):
        return f"connection: {problem.strerror or problem}"[:200]
    return f"answer_unreadable: {problem!r}"[:200]
