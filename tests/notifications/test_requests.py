"""One request to a receiver that does not behave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from notifications.sending import requests as module
from notifications.sending.requests import Attempt, Requests, Rules
from tests.notifications.conftest import LOOPBACK, Receiver

RULES = Rules(allows_http=True, allowed=LOOPBACK)


@contextmanager
def serving(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does to each connection what `behave` says."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=behave, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def drips(connection: socket.socket) -> None:
    connection.recv(65536)
    with suppress(OSError):
        for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" * 10:
            connection.send(bytes([letter]))
            time.sleep(0.05)


def test_a_receiver_that_sends_a_byte_now_and_then_is_cut_off() -> None:
    attempt = Attempt()
    with serving(drips) as url:
        threading.Timer(0.3, attempt.cut_off).start()
        began = time.monotonic()
        answer = Requests(RULES).post(url, headers={}, body=b"{}", attempt=attempt)
    assert (answer.status, answer.error) == (None, "timeout")
    assert time.monotonic() - began < 10


def test_a_receiver_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    with serving(lambda connection: time.sleep(3)) as url:
        assert Requests(RULES).post(url, headers={}, body=b"{}").error == "timeout"


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x16\x03\x01\x00", b""])
def test_what_is_no_http_is_a_failure_and_no_more(said: bytes) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)
        connection.close()

    with serving(behave) as url:
        answer = Requests(RULES).post(url, headers={}, body=b"{}")
    assert answer.status is None
    assert answer.error.startswith(("answer_unreadable", "connection"))


def test_an_endless_answer_is_read_in_part() -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)

    with serving(behave) as url:
        answer = Requests(RULES).post(url, headers={}, body=b"{}")
    assert answer.is_success
    assert answer.response == "x" * 1000


def test_connections_are_used_again_and_opened_anew_once_the_receiver_closed_them(receiver: Receiver) -> None:
    opened: list[int] = []
    answers = b"HTTP/1.1 204 No Content\r\n\r\n"

    def twice(connection: socket.socket) -> None:
        opened.append(1)
        for _ in range(2):
            connection.recv(65536)
            connection.sendall(answers)
        connection.close()

    requests = Requests(RULES)
    with serving(twice) as url:
        assert [requests.post(url, headers={}, body=b"").status for _ in range(5)] == [204] * 5
    assert len(opened) == 3
    requests.close()


def test_https_is_checked_against_the_name(receiver: Receiver) -> None:
    answer = Requests(RULES).post(receiver.url.replace("http:", "https:"), headers={}, body=b"{}")
    assert answer.error.startswith("tls")
