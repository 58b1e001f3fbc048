"""Bodies of requests, read before any work is begun on them: a slow sender holds up nobody but itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, NoReturn

from django.core.exceptions import RequestDataTooBig

from kernel.errors import MalformedError, TooLargeError
from rest.line import Overloaded

#: The largest body that any address takes; most have tighter limits of their own.
MAX_BYTES = 16 * 1024 * 1024
#: Of a larger one so much is read and thrown away, so that its sender comes to read the refusal.
_MOST_THROWN_AWAY = 64 * 1024 * 1024
#: What the bodies of all requests of a process may take up together; those of up to `_SMALL` do not count.
MOST_HELD = 3 * MAX_BYTES
_SMALL = 64 * 1024
#: So many are read at a time, and a request waits so long for its turn.
MOST_READERS = 96
LONGEST_WAIT = 1.0
_PIECE = 1024 * 1024


class BodyTooLarge(TooLargeError, RequestDataTooBig):
    """413 of the API, and what Django knows how to answer everywhere else."""


class _TooLarge:
    """In the place of a body that was larger than `MAX_BYTES`: who looks at it is told."""

    def read(self, *_: Any) -> NoReturn:
        raise BodyTooLarge(f"A request takes at most {MAX_BYTES:,} bytes")

    readline = readlines = __iter__ = read


class Bodies:
    """The bodies that this process holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        self._readers = threading.BoundedSemaphore(MOST_READERS)

    def take(self, environ: dict[str, Any]) -> int:
        """Read the body of a WSGI request, sent with a length or in chunks, and put it where its sender's socket was.

        Answers what to give to `release` once the request is over. Raises `Overloaded`, and `MalformedError`
        for a body that ends before its announced length. A larger one than `MAX_BYTES` raises `BodyTooLarge`
        when it is looked at, so that each address refuses it in its own words.
        """
        length = int(environ.get("CONTENT_LENGTH") or 0)
        unannounced = _is_unannounced(environ)
        if not length and not unannounced:
            return 0
        stream = environ["wsgi.input"]
        with self._reader():
            if unannounced or length > MAX_BYTES:
                body, held = self._read_pieces(stream)
            else:
                body, held = self._read_whole(stream, length)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(MAX_BYTES + 1 if body is None else len(body))
        environ["wsgi.input"] = _TooLarge() if body is None else BytesIO(body)
        return held

    def release(self, held: int) -> None:
        if held:
            with self._lock:
                self._held -= held

    @contextmanager
    def _reader(self) -> Iterator[None]:
        if not self._readers.acquire(timeout=LONGEST_WAIT):
            raise Overloaded("Too many requests are being read. Send the same again after a moment")
        try:
            yield
        finally:
            self._readers.release()

    def _hold(self, size: int) -> bool:
        with self._lock:
            if self._held + size > MOST_HELD:
                return False
            self._held += size
            return True

    def _read_whole(self, stream: Any, length: int) -> tuple[bytes, int]:
        held = length if length > _SMALL else 0
        if not self._hold(held):
            _throw_away(stream)
            raise _no_room()
        try:
            body: bytes = stream.read(length)
            if len(body) < length:
                raise MalformedError(f"The body ended after {len(body):,} of {length:,} bytes", code="body_incomplete")
        except BaseException:
            self.release(held)
            raise
        return body, held

    def _read_pieces(self, stream: Any) -> tuple[bytes | None, int]:
        """None for a body that is too large."""
        pieces: list[bytes] = []
        held = size = 0
        try:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > MAX_BYTES:
                    _throw_away(stream)
                    self.release(held)
                    return None, 0
                more = len(piece) if size > _SMALL else 0
                if not self._hold(more):
                    _throw_away(stream)
                    raise _no_room()
                held += more
                pieces.append(piece)
        except BaseException:
            self.release(held)
            raise
        return b"".join(pieces), held


def _is_unannounced(environ: Mapping[str, Any]) -> bool:
    """Whether a body may come without its length: in chunks, or in the frames of HTTP/2."""
    return "HTTP_TRANSFER_ENCODING" in environ or (
        "CONTENT_LENGTH" not in environ and environ.get("SERVER_PROTOCOL") == "HTTP/2"
    )


def _throw_away(stream: Any) -> None:
    left = _MOST_THROWN_AWAY
    while left > 0 and (piece := stream.read(_PIECE)):
        left -= len(piece)


def _no_room() -> Overloaded:
    return Overloaded("There is no room for another large request. Send the same again after a moment")
