"""Responses, sent at the client's pace without holding up anybody else.

What is at hand is sent from memory or from a file, by the event loop alone. Only a live stream (an answer of the
engine's) has a thread until its end, since it is made while it is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Protocol

from rest.pace import Pace

#: A body of up to so many bytes is handed over whole, a larger one in pieces.
_WHOLE = 256 * 1024
_PIECE = 64 * 1024
#: What is made at once and is larger than this waits for its client in a file.
_IN_MEMORY = 1024 * 1024
#: How long a live stream keeps its place while its client takes a piece, in seconds.
_PATIENCE = 0.05

Headers = list[tuple[str, str]]


class Stream(Protocol):
    """An answer under way (RSGI's transport)."""

    async def send_bytes(self, data: bytes) -> None: ...


class Client(Protocol):
    """The other end of a request (RSGI's protocol)."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...

    def response_stream(self, status: int, headers: Headers) -> Stream: ...


@dataclass
class Answer:
    """What is to be sent: `body`, or the rest of `file`, or what `live` makes."""

    status: int
    headers: Headers
    body: bytes = b""
    file: IO[bytes] | None = None
    live: Live | None = None
    close: Callable[[], None] = lambda: None


@dataclass
class Live:
    """Pieces that are made while they are sent, in a thread. `aside` lends the thread's place to others."""

    pieces: Iterable[bytes]
    aside: Callable[[], contextlib.AbstractContextManager[None]]
    close: Callable[[], None]

    def send(self, deliver: Callable[[bytes], Future[None]]) -> None:
        """To the end, or until the client is gone or too slow; then what makes the pieces is closed."""
        try:
            for piece in self.pieces:
                sent = deliver(piece)
                try:
                    sent.result(_PATIENCE)
                except TimeoutError:
                    if not sent.done():
                        with self.aside():
                            sent.result()
                    else:
                        sent.result()
        finally:
            self.close()


def spooled(pieces: Iterable[bytes]) -> tuple[IO[bytes], int]:
    """A file with all of `pieces`, to be read from its start, and its length."""
    # Closed once it is sent.
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
    try:
        size = sum(file.write(piece) for piece in pieces)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, size


async def send(client: Client, answer: Answer, *, threads: ThreadPoolExecutor) -> None:
    """Send `answer`; a client that takes it too slowly is left."""
    loop = asyncio.get_running_loop()
    if answer.live is not None:
        await _send_live(client, answer, answer.live, threads)
    elif answer.file is not None:
        file = answer.file
        try:
            stream = client.response_stream(answer.status, answer.headers)
            pace = Pace()
            while piece := await loop.run_in_executor(threads, file.read, 4 * _PIECE):
                await pace.keep(stream.send_bytes(piece), size=len(piece))
        finally:
            await loop.run_in_executor(threads, answer.close)
    elif len(answer.body) <= _WHOLE:
        client.response_bytes(answer.status, answer.headers, answer.body)
    else:
        stream = client.response_stream(answer.status, answer.headers)
        pace = Pace()
        for piece in _pieces(answer.body):
            await pace.keep(stream.send_bytes(piece), size=len(piece))


async def _send_live(client: Client, answer: Answer, live: Live, threads: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    stream = client.response_stream(answer.status, answer.headers)
    pace = Pace()

    def deliver(piece: bytes) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(pace.keep(stream.send_bytes(piece), size=len(piece)), loop)

    await loop.run_in_executor(threads, live.send, deliver)


def _pieces(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield bytes(view[start : start + _PIECE])


def has_length(headers: Headers) -> bool:
    return any(name.lower() == "content-length" for name, _ in headers)


def with_length(headers: Headers, size: int) -> Headers:
    """`headers` with the body's length, so that a client knows a cut-off body from a whole one."""
    return headers if has_length(headers) else [*headers, ("Content-Length", str(size))]
