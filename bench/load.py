"""A client that costs little: requests made beforehand, over connections that stay open, in one thread."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_REFUSED = {429, 503}


@dataclass
class Connection:
    socket: socket.socket
    request: bytes = b""
    sent_at: float = 0.0
    again_at: float = 0.0
    answer: bytearray = field(default_factory=bytearray)


@dataclass
class Report:
    """`latencies` in seconds, in no order; `statuses` counts answers, `last` is the body of the last one.

    `refusals` are the latencies of answers that said to come back.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    last: bytes = b""


def request_bytes(path: str, body: bytes, *, port: int, secret: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_all(
    requests: Iterable[bytes],
    *,
    port: int,
    connections: int,
    patience: float | None = None,
    until: float = float("inf"),
) -> Report:
    """Send every request, each connection one at a time, and wait for all answers.

    With `patience`, what is refused is sent again after `Retry-After` times it, as long as `until` (of
    `time.perf_counter`) has not come.
    """
    waiting = iter(requests)
    report = Report()
    resting: list[Connection] = []
    with selectors.DefaultSelector() as selector:
        opened = [_connect(port) for _ in range(connections)]
        started = time.perf_counter()
        for connection in opened:
            if _send(connection, next(waiting, None)):
                selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map() or resting:
            now = time.perf_counter()
            for connection in [one for one in resting if one.again_at <= now or now > until]:
                resting.remove(connection)
                if now < until and _send(connection, connection.request):
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
            for key, _ in selector.select(0.01 if resting else None):
                connection = key.data
                if not _receive(connection, report):
                    continue
                if patience is not None and connection.again_at:
                    connection.again_at = time.perf_counter() + connection.again_at * patience
                    selector.unregister(connection.socket)
                    resting.append(connection)
                elif not _send(connection, next(waiting, None)):
                    selector.unregister(connection.socket)
        report.seconds = time.perf_counter() - started
        for connection in opened:
            connection.socket.close()
    return report


def _connect(port: int) -> Connection:
    connection = Connection(socket.create_connection(("127.0.0.1", port), 60))
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _send(connection: Connection, request: bytes | None) -> bool:
    if request is None:
        return False
    connection.request = request
    connection.sent_at = time.perf_counter()
    connection.socket.sendall(request)
    return True


def _receive(connection: Connection, report: Report) -> bool:
    """Whether the answer is there as a whole. `again_at` becomes the seconds of its `Retry-After`, or 0."""
    part = connection.socket.recv(65536)
    if not part:
        raise ConnectionError("the server closed a connection")
    answer = connection.answer
    answer += part
    head, found, body = bytes(answer).partition(b"\r\n\r\n")
    if not found:
        return False
    length = int(_header(head, b"content-length") or 0)
    if len(body) < length:
        return False
    took, status = time.perf_counter() - connection.sent_at, int(head[9:12])
    report.statuses[status] += 1
    report.last = body
    connection.again_at = 0.0
    if status in _REFUSED:
        report.refusals.append(took)
        connection.again_at = float(_header(head, b"retry-after") or 0)
        report.without_retry_after += not connection.again_at
    else:
        report.latencies.append(took)
    answer.clear()
    return True


def _header(head: bytes, name: bytes) -> bytes:
    return head.lower().partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()
