"""What one party's slow or greedy clients cost another party, whose latencies are measured alone and beside them.

    python -m bench slow_clients [CONNECTIONS] [SECONDS]

CONNECTIONS sockets each send a byte every five seconds, and connect again where they are refused: heads, bodies with
and without a key, with a length and in chunks; then as many that never read their answers. Beside each kind the other
party sends events, lists customers and opens the sign-in page for SECONDS. Then the greedy one: 60 connections of one
key that list a thousand events again and again.
"""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bench.http_ingest import web_server
from bench.load import request_bytes, send_all
from bench.setting import database

GREEDY = 60
_EVERY = 5.0


def main(connections: int = 260, seconds: int = 8) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now

        secrets = [
            create_api_key(organization=create_organization(name=name), scopes=["admin"])[1]
            for name in ("Attacker", "Other")
        ]
        with web_server(services) as (port, _):
            party = Party(port, secrets[1])
            _fill(port, secrets[0])
            party.measure(2)  # the first requests of a process take longer
            _show("alone", party.measure(seconds))
            for name, start, more in _slow(secrets[0]):
                with holding(port, connections, start, more):
                    time.sleep(1)
                    _show(f"beside {connections} {name}", party.measure(seconds))
            _show("alone", party.measure(seconds))
            with greedy(port, secrets[0]) as sent:
                _show(f"beside {GREEDY} greedy connections", party.measure(seconds))
            print(f"    the greedy ones had {sent[0]:,} answers meanwhile")


def _slow(secret: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, first bytes and further bytes of each kind of slow client."""

    def head(path: str, *more: str) -> bytes:
        return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]).encode()

    key = f"Authorization: Bearer {secret}"
    yield "silent connections", b"", b""
    yield "slow heads", b"POST /api/v1/events HTTP/1.1\r\nX", b"x"
    yield "slow bodies without a key", head("/api/v1/events", "Content-Length: 10000") + b"[", b" "
    yield "slow bodies with a key", head("/api/v1/events", key, "Content-Length: 10000") + b"[", b" "
    yield "slow chunks with a key", head("/v1/traces", key, "Transfer-Encoding: chunked"), b"1\r\n \r\n"
    yield "slow sign-in forms", head("/sign-in", "Content-Length: 10000") + b"email=", b"a"
    listing = head("/api/v1/events?limit=1000", key).replace(b"POST", b"GET", 1)
    yield "readers that do not read", listing, b""


@contextmanager
def holding(port: int, connections: int, start: bytes, more: bytes) -> Iterator[None]:
    """So many connections that begin with `start`, go on with `more` and come again when they are closed."""
    over = threading.Event()

    def attack() -> None:
        held: dict[socket.socket, float] = {}
        while not over.is_set():
            for one in list(held):
                if held[one] <= time.monotonic():
                    held[one] = time.monotonic() + _EVERY
                    with suppress(BlockingIOError):
                        try:
                            if more:
                                one.send(more)
                            elif not start and not one.recv(1, socket.MSG_PEEK):
                                raise ConnectionError
                        except BlockingIOError:
                            pass
                        except OSError:
                            one.close()
                            del held[one]
            while len(held) < connections and not over.is_set():
                with suppress(OSError):
                    fresh = socket.socket()
                    fresh.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    fresh.connect(("127.0.0.1", port))
                    fresh.sendall(start)
                    fresh.setblocking(False)
                    held[fresh] = time.monotonic() + _EVERY
            over.wait(0.1)
        for one in held:
            one.close()

    thread = threading.Thread(target=attack)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def greedy(port: int, secret: str) -> Iterator[list[int]]:
    """One key's connections, each of which asks for the next answer as soon as it has one."""
    over, answers = threading.Event(), [0]

    def requests() -> Iterator[bytes]:
        while not over.is_set():
            answers[0] += 1
            yield request_bytes("/api/v1/events?limit=1000", b"", port=port, secret=secret).replace(b"POST", b"GET", 1)

    thread = threading.Thread(target=lambda: send_all(requests(), port=port, connections=GREEDY))
    thread.start()
    try:
        time.sleep(1)
        yield answers
    finally:
        over.set()
        thread.join()


@dataclass
class Party:
    """Somebody who works with the server meanwhile, one request after the other."""

    port: int
    secret: str
    _number: int = field(default=0)

    def measure(self, seconds: float) -> dict[str, list[float]]:
        """Latencies by what was asked for, in seconds. Each answer is as it should be."""
        found: dict[str, list[float]] = {"events": [], "customers": [], "sign-in page": []}
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for name, ask in (("events", self._event), ("customers", self._customers), ("sign-in page", self._page)):
                report = send_all([ask()], port=self.port, connections=1)
                assert set(report.statuses) == {200}, (name, report.statuses, report.last)
                found[name] += report.latencies
            time.sleep(0.02)
        return found

    def _event(self) -> bytes:
        self._number += 1
        body = {"specversion": "1.0", "id": str(self._number), "source": "other", "type": "agent.turn"}
        return request_bytes("/api/v1/events", json.dumps(body).encode(), port=self.port, secret=self.secret)

    def _customers(self) -> bytes:
        asked = request_bytes("/api/v1/customers", b"", port=self.port, secret=self.secret)
        return asked.replace(b"POST", b"GET", 1)

    def _page(self) -> bytes:
        return f"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode()


def _fill(port: int, secret: str) -> None:
    body = [
        {"specversion": "1.0", "id": str(i), "source": "s", "type": "agent.turn", "data": {"text": "x" * 500}}
        for i in range(2000)
    ]
    sent = request_bytes("/api/v1/events", json.dumps(body).encode(), port=port, secret=secret)
    assert set(send_all([sent], port=port, connections=1).statuses) == {200}


def _show(name: str, measured: dict[str, list[float]]) -> None:
    part: Callable[[list[float], float], float] = lambda one, share: sorted(one)[int(len(one) * share)] * 1000  # noqa: E731
    print(f"  {name}")
    for kind, one in measured.items():
        print(
            f"    {kind:14} {len(one):5} answers, median {statistics.median(one) * 1000:6.0f} ms,"
            f" 95 % {part(one, 0.95):6.0f} ms, max {max(one) * 1000:6.0f} ms",
            flush=True,
        )
