"""A client that costs little: requests made beforehand, over connections that stay open, in one thread."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Connection:
    socket: socket.socket
    sent_at: float = 0.0
    answer: bytearray = field(default_factory=bytearray)


@dataclass
class Report:
    """`latencies` in seconds, in no order; `statuses` counts answers, `last` is the body of the last one."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    last: bytes = b""


def request_bytes(path: str, body: bytes, *, port: int, secret: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_all(requests: Iterable[bytes], *, port: int, connections: int) -> Report:
    """Send every request, each connection one at a time, and wait for all answers."""
    waiting = iter(requests)
    report = Report()
    with selectors.DefaultSelector() as selector:
        opened = [Connection(socket.create_connection(("127.0.0.1", port), 60)) for _ in range(connections)]
        started = time.perf_counter()
        for connection in opened:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _send_next(connection, waiting):
                selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.data
                if _receive(connection, report) and not _send_next(connection, waiting):
                    selector.unregister(connection.socket)
        report.seconds = time.perf_counter() - started
        for connection in opened:
            connection.socket.close()
    return report


def _send_next(connection: Connection, waiting: Iterator[bytes]) -> bool:
    request = next(waiting, None)
    if request is None:
        return False
    connection.sent_at = time.perf_counter()
    connection.socket.sendall(request)
    return True


def _receive(connection: Connection, report: Report) -> bool:
    """Whether the answer is there as a whole."""
    part = connection.socket.recv(65536)
    if not part:
        raise ConnectionError("the server closed a connection")
    answer = connection.answer
    answer += part
    head, found, body = bytes(answer).partition(b"\r\n\r\n")
    if not found:
        return False
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    if len(body) < length:
        return False
    report.latencies.append(time.perf_counter() - connection.sent_at)
    report.statuses[int(head[9:12])] += 1
    report.last = body
    answer.clear()
    return True
