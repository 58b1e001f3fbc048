"""Streams of the clients' libraries, followed while their reader reads them."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from taximeter.integrations.model_calls import Reading

#: Told how a stream ended: with an answer, with an error, or left by its reader.
OnAnswer = Callable[[Reading], object]
OnFailure = Callable[[BaseException, "Reading | None"], object]


class StreamParts(Protocol):
    """What the parts of a stream say together."""

    @property
    def is_whole(self) -> bool:
        """Whether the end and the usage are known: a reader may well stop here."""

    def take(self, part: Any) -> bool:
        """Reads a part. Whether the caller shall see it."""

    def awaits_usage(self) -> bool:
        """Whether the answer is there and only its usage, which the caller shall not see, is not."""

    def whole(self) -> Reading:
        """The reading at the end of the stream."""

    def part(self) -> Reading | None:
        """The reading of a stream that broke off; None where the model had not begun."""


class Follower:
    """What the two kinds of streams have in common: what is read, and the one end that is told."""

    def __init__(self, on_answer: OnAnswer, on_failure: OnFailure, parts: StreamParts) -> None:
        self._on_answer = on_answer
        self._on_failure = on_failure
        self.parts = parts
        #: Parts read ahead, or the error that came in their place.
        self.ahead: deque[Any] = deque()
        self._is_over = False

    def show(self, part: Any) -> bool:
        """Whether `part`, which has come, is the reader's to see."""
        shown = self.parts.take(part)
        if self.parts.is_whole:
            self.ended()
        return shown

    def ended(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_answer(self.parts.whole())

    def broke(self, error: BaseException) -> None:
        if not self._is_over:
            self._is_over = True
            self._on_failure(error, self.parts.part())

    def left(self) -> None:
        """The reader stopped. An answer whose end was seen counts as one, though its tokens are not known."""
        told = self.parts.part()
        if told is not None and told.finish_reason:
            self.ended()
        else:
            self.broke(GeneratorExit())


class FollowedStream(Iterator[Any]):
    """The parts of a stream, one by one as they come."""

    def __init__(self, parts: Iterator[Any], follower: Follower) -> None:
        self._parts = parts
        self._follower = follower

    def __iter__(self) -> FollowedStream:
        return self

    def __next__(self) -> Any:
        follower = self._follower
        while True:
            if not follower.ahead:
                self._read()
            part = follower.ahead.popleft()
            if isinstance(part, BaseException):
                raise part
            if part is None:
                raise StopIteration
            if follower.parts.awaits_usage():
                self._read()  # readers often stop at the last word; what it took comes right behind
            return part

    def _read(self) -> None:
        """Takes the next part that is the reader's to see, or the end (None), or the error in its place."""
        follower = self._follower
        try:
            while not follower.show(part := next(self._parts)):
                pass
        except StopIteration:
            follower.ended()
            follower.ahead.append(None)
        except Exception as error:
            follower.broke(error)
            follower.ahead.append(error)
        except BaseException as error:  # such as a cancellation, which must not wait for anybody
            follower.broke(error)
            raise
        else:
            follower.ahead.append(part)

    def __del__(self) -> None:
        self._follower.left()


class FollowedAsyncStream(AsyncIterator[Any]):
    """The same for a stream that is awaited."""

    def __init__(self, parts: AsyncIterator[Any], follower: Follower) -> None:
        self._parts = parts
        self._follower = follower

    def __aiter__(self) -> FollowedAsyncStream:
        return self

    async def __anext__(self) -> Any:
        follower = self._follower
        if not follower.ahead:
            await self._read()
        part = follower.ahead.popleft()
        if isinstance(part, BaseException):
            raise part
        if part is None:
            raise StopAsyncIteration
        if follower.parts.awaits_usage():
            await self._read()
        return part

    async def _read(self) -> None:
        follower = self._follower
        try:
            while not follower.show(part := await anext(self._parts)):
                pass
        except StopAsyncIteration:
            follower.ended()
            follower.ahead.append(None)
        except Exception as error:
            follower.broke(error)
            follower.ahead.append(error)
        except BaseException as error:  # such as a cancellation, which must not wait for anybody
            follower.broke(error)
            raise
        else:
            follower.ahead.append(part)

    def __del__(self) -> None:
        self._follower.left()


def follow(stream: Any, follower: Follower) -> None:
    """Has `follower` see what is read from `stream`, of one of the libraries' two kinds, and when it is closed."""
    parts = stream._iterator
    is_async = hasattr(parts, "__anext__")
    stream._iterator = (FollowedAsyncStream if is_async else FollowedStream)(parts, follower)
    close, itself = type(stream).close, weakref.ref(stream)  # no cycle: a stream that is dropped shall end at once

    async def close_async() -> None:
        follower.left()
        await close(itself())

    def close_now() -> None:
        follower.left()
        close(itself())

    stream.close = close_async if is_async else close_now
