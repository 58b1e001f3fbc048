"""Bodies of requests, read before any work is begun on them: a slow sender holds up nobody but itself.

Reading takes a coroutine and the bytes that have arrived, no thread. Each sender has a deadline (`rest.pace`), each
group of callers a part of the memory, and where a caller has too many bodies under way the oldest one makes room.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn, Protocol

from django.core.exceptions import RequestDataTooBig

from kernel.errors import MalformedError, TooLargeError
from rest.line import Caller, Overloaded
from rest.pace import Pace, TooSlow

#: The largest body that any address takes; most have tighter limits of their own.
MAX_BYTES = 16 * 1024 * 1024
#: Of a larger one so much is read and thrown away, so that its sender comes to read the refusal.
_MOST_THROWN_AWAY = 64 * 1024 * 1024
#: What the bodies of all requests of a process may take up together; those of up to `_SMALL` do not count.
MOST_HELD = 4 * MAX_BYTES
#: The part of it that is kept for groups of callers which hold no more than that.
RESERVE = MAX_BYTES
_SMALL = 64 * 1024
#: How many bodies of one caller, and of one group of callers, are read at a time.
MOST_OF_A_MEMBER = 128
MOST_OF_A_GROUP = 512
#: How long a request that is refused before its body is read is listened to, in seconds, and how many of them.
_LINGER = 2.0
_MOST_LINGERING = 256


class Source(Protocol):
    """The body of a request as it arrives (RSGI's protocol): all of it, or piece by piece."""

    def __call__(self) -> Awaitable[bytes]: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class BodyTooLarge(TooLargeError, RequestDataTooBig):
    """413 of the API, and what Django knows how to answer everywhere else."""


class _TooLarge:
    """In the place of a body that was larger than `MAX_BYTES`: who looks at it is told."""

    def read(self, *_: Any) -> NoReturn:
        raise BodyTooLarge(f"A request takes at most {MAX_BYTES:,} bytes")

    readline = readlines = __iter__ = read


@dataclass(eq=False)
class _Reader:
    """A body that is being read."""

    task: asyncio.Task[Any]
    is_pushed_out: bool = False


class Bodies:
    """The bodies that this process reads and holds. Used from one event loop."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._reading: dict[str, dict[str, dict[_Reader, None]]] = {}
        self._lingering = 0

    async def take(self, environ: dict[str, Any], source: Source, caller: Caller) -> int:
        """Read the body of a request, sent with a length or in chunks, and put it into its WSGI environment.

        Answers what to give to `release` once the request is over. Raises `Overloaded`, `TooSlow`, and
        `MalformedError` for a body that ends before its announced length. A larger one than `MAX_BYTES` raises
        `BodyTooLarge` when it is looked at, so that each address refuses it in its own words.
        """
        environ["wsgi.input"] = BytesIO()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        is_unannounced = "HTTP_TRANSFER_ENCODING" in environ
        if not length and not is_unannounced:
            return 0
        try:
            with self._reader(caller):
                if is_unannounced or length > _SMALL:
                    body, held = await self._read_pieces(source, caller.group)
                else:
                    body, held = await Pace().keep(source(), size=length), 0
        except RuntimeError:  # RSGI's error for a client that is gone
            raise MalformedError("The body ended before it was complete", code="body_incomplete") from None
        if body is not None and len(body) < length:
            self.release(held, caller)
            raise MalformedError(f"The body ended after {len(body):,} of {length:,} bytes", code="body_incomplete")
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(MAX_BYTES + 1 if body is None else len(body))
        environ["wsgi.input"] = _TooLarge() if body is None else BytesIO(body)
        return held

    def release(self, held: int, caller: Caller) -> None:
        """Make the memory of a body free for others."""
        if held:
            self._held[caller.group] -= held
            if not self._held[caller.group]:
                del self._held[caller.group]

    async def throw_away(self, environ: Mapping[str, Any], source: Source) -> None:
        """Read what a refused request sends along, for a moment: a client that is still sending may not see a refusal.

        One that waits to be asked for its body (`Expect: 100-continue`) is not asked.
        """
        has_body = int(environ.get("CONTENT_LENGTH") or 0) or "HTTP_TRANSFER_ENCODING" in environ
        if not has_body or "HTTP_EXPECT" in environ or self._lingering >= _MOST_LINGERING:
            return
        self._lingering += 1
        try:
            with suppress(TimeoutError, RuntimeError):  # RSGI's error where it was read to its end, or broke off
                async with asyncio.timeout(_LINGER):
                    await _throw_away(source)
        finally:
            self._lingering -= 1

    @contextmanager
    def _reader(self, caller: Caller) -> Iterator[None]:
        group = self._reading.setdefault(caller.group, {})
        own = group.setdefault(caller.member, {})
        if len(own) >= MOST_OF_A_MEMBER:
            _push_out(own)
        elif sum(map(len, group.values())) >= MOST_OF_A_GROUP:
            _push_out(max(group.values(), key=len))
        task = asyncio.current_task()
        assert task is not None
        reader = _Reader(task)
        own[reader] = None
        try:
            yield
        except asyncio.CancelledError:
            if not reader.is_pushed_out:
                raise
            task.uncancel()
            raise TooSlow("Other requests of this client came meanwhile. Send each body at once") from None
        finally:
            own.pop(reader, None)
            if not own:
                group.pop(caller.member, None)
            if not group:
                self._reading.pop(caller.group, None)

    def _hold(self, group: str, size: int) -> bool:
        total = self._held.total() + size
        if total > MOST_HELD or (total > MOST_HELD - RESERVE and self._held[group] + size > RESERVE):
            return False
        self._held[group] += size
        return True

    async def _read_pieces(self, source: Source, group: str) -> tuple[bytes | None, int]:
        """None for a body that is too large."""
        pieces: list[bytes] = []
        held = size = 0
        pace = Pace()
        arriving = aiter(source)
        try:
            while (piece := await pace.keep(_next(arriving))) is not None:
                pace.moved(len(piece))
                size += len(piece)
                if size > MAX_BYTES:
                    self.release(held, Caller(group))
                    held, pieces = 0, []
                    if size > _MOST_THROWN_AWAY:
                        return None, 0
                    continue
                more = size - held if size > _SMALL else 0
                if not self._hold(group, more):
                    raise _no_room()
                held += more
                pieces.append(piece)
        except BaseException:
            self.release(held, Caller(group))
            raise
        return (b"".join(pieces) if size <= MAX_BYTES else None), held


async def _next(arriving: AsyncIterator[bytes]) -> bytes | None:
    try:
        # Not `anext` with a default: Python 3.11 crashes in it where the iterator is the web server's.
        return await arriving.__anext__()
    except StopAsyncIteration:
        return None


def _push_out(readers: dict[_Reader, None]) -> None:
    """The oldest of `readers` makes room."""
    oldest = next(iter(readers))
    del readers[oldest]
    oldest.is_pushed_out = True
    oldest.task.cancel()


async def _throw_away(source: Source) -> None:
    thrown = 0
    async for piece in source:
        thrown += len(piece)
        if thrown > _MOST_THROWN_AWAY:
            return


def _no_room() -> Overloaded:
    return Overloaded("There is no room for another large request. Send the same again after a moment")
