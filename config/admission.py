"""Admission control, before Django: who asks, the body, and only so many requests at work at a time.

The web server hands over each request as soon as its headers are there (RSGI). From then on it costs a coroutine, not
a thread: the caller is looked up, the body is read, a place is waited for. The requests at work hold a place and a
thread, and a place has a database connection, so that there are as many connections as places and no more. While a
body or an answer crawls over the wire, it holds neither.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from config import api_errors
from config.callers import Callers
from config.limits import RequestLimit
from config.sending import Answer, Headers, Live, send, spooled, with_length
from config.wsgi_environment import environment_of
from inference.facade import openai_refusal
from kernel.errors import TaximeterError
from metering.facade import otlp_refusal
from rest.bodies import Bodies
from rest.line import Caller, Line
from rest.pace import TooSlow

Environ = dict[str, Any]
StartResponse = Callable[[str, Headers], Any]
Application = Callable[[Environ, StartResponse], HttpResponseBase]

_CALLS = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}
_OPENAI = {*_CALLS, "/v1/models"}
_OTLP = {"/v1/traces", "/v1/logs"}
#: Threads for calls, which are held until the engine's answer is sent; the last of them are for other organizations.
_CALL_THREADS = 256
_RESERVED_CALLS = 64
#: Threads for all else: more than there are places.
_THREADS = 32


class Place:
    """The right to work, and the database connection to do it with."""

    def __init__(self) -> None:
        self.connection = connections.create_connection(DEFAULT_DB_ALIAS)
        self.connection.inc_thread_sharing()  # by one thread after the other


class _Visit:
    """A request at work, with its place."""

    def __init__(self, line: Line[Place], place: Place, caller: Caller) -> None:
        self._place: Place | None = place
        self._line, self._caller = line, caller
        self._since = time.monotonic()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The place's connection is this thread's."""
        if self._place is not None:
            connections[DEFAULT_DB_ALIAS] = self._place.connection
        try:
            yield
        finally:
            with suppress(AttributeError):  # set aside, and sent away on the way back
                del connections[DEFAULT_DB_ALIAS]

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Leave the place to others while this thread waits for something that needs none: the engine."""
        del connections[DEFAULT_DB_ALIAS]
        with self.away():
            yield
        assert self._place is not None
        connections[DEFAULT_DB_ALIAS] = self._place.connection

    @contextmanager
    def away(self) -> Iterator[None]:
        """The same where the connection is not lent, for waiting for the client."""
        self.end()
        try:
            yield
        finally:
            self._place, self._since = self._line.enter(self._caller, returning=True), time.monotonic()

    def end(self) -> None:
        """Give the place back. A second time nothing happens."""
        if self._place is not None:
            place, self._place = self._place, None
            self._line.leave(place, held_since=self._since)


class _Way:
    """Which line a request enters, and which threads do its work."""

    def __init__(self, line: Line[Place], threads: ThreadPoolExecutor) -> None:
        self.line, self.threads = line, threads


def _line(places: int, *, most_waiting: int, longest_wait: float) -> Line[Place]:
    """A line of `places`, and one more for callers who hold none of them."""
    return Line([Place() for _ in range(places + 1)], most_waiting=most_waiting, longest_wait=longest_wait, reserve=1)


def _refuse(error: TaximeterError, environ: Environ) -> HttpResponse:
    """The refusal that clients of the request's path read: OTLP's, OpenAI's or a problem."""
    path = environ["PATH_INFO"]
    if path in _OTLP:
        return otlp_refusal(error, environ)
    if path in _OPENAI:
        return openai_refusal(error, environ)
    refusal = api_errors.handle(error, {})
    assert refusal is not None
    return refusal


class Admission:
    """An RSGI application around Django's WSGI application."""

    def __init__(self, application: Application, *, limit: RequestLimit | None = None) -> None:
        self._application = application
        self._bodies, self._callers, self._limit = Bodies(), Callers(), limit
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="work")
        self._files = ThreadPoolExecutor(4, thread_name_prefix="files")
        call_threads = ThreadPoolExecutor(_CALL_THREADS, thread_name_prefix="calls")
        self._call_slots = Line(
            [object() for _ in range(_CALL_THREADS)], most_waiting=0, longest_wait=0.0, reserve=_RESERVED_CALLS
        )
        events = _line(3, most_waiting=96, longest_wait=1.0)
        self._events = _Way(events, self._threads)
        # These wait for the engine, which has a line of its own, and hold no place while they do.
        self._calls = _Way(_line(4, most_waiting=128, longest_wait=10.0), call_threads)
        # Agents wait for the answer before they act; they do not wait behind reports.
        self._checks = _Way(_line(2, most_waiting=96, longest_wait=1.0), self._threads)
        self._others = _Way(_line(4, most_waiting=32, longest_wait=10.0), self._threads)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request. The web server calls this."""
        environ = environment_of(scope)
        path = environ["PATH_INFO"]
        if path == "/healthz" or path.startswith("/static/"):  # these ask no database
            await send(protocol, await _run(self._files, self._work, environ, None), threads=self._files)
            return
        way = self._way(path, environ["REQUEST_METHOD"])
        caller, held, headers = Caller(), 0, Headers()
        try:
            caller = await self._callers.identify(environ)
            headers = await self._limit.take(caller) if self._limit else []
            held = await self._bodies.take(environ, protocol, caller)
            with self._call_slot(way, caller):
                visit = _Visit(way.line, await way.line.admit(caller), caller)
                environ["taximeter.set_aside"] = visit.set_aside
                answer = await _run(way.threads, self._work, environ, visit)
                if answer.live is not None:
                    answer.headers += headers
                    await send(protocol, answer, threads=way.threads)
                    return
        except TaximeterError as error:
            if not isinstance(error, TooSlow):
                await self._bodies.throw_away(environ, protocol)
            headers = getattr(error, "headers", headers)
            answer = _refusal(_refuse(error, environ), is_last=isinstance(error, TooSlow))
        finally:
            self._bodies.release(held, caller)
        answer.headers += headers
        await send(protocol, answer, threads=self._files)

    @contextmanager
    def _call_slot(self, way: _Way, caller: Caller) -> Iterator[None]:
        """One of the threads for calls, some of which stay free for organizations that have few."""
        if way is not self._calls:
            yield
            return
        slot, since = self._call_slots.enter(caller), time.monotonic()
        try:
            yield
        finally:
            self._call_slots.leave(slot, held_since=since)

    def _work(self, environ: Environ, visit: _Visit | None) -> Answer:
        """Let Django answer, in a thread. A live answer keeps the place, all else has given it back."""
        head: list[Any] = []
        try:
            with visit.lent() if visit else nullcontext():
                response = self._application(environ, lambda *arguments: head.extend(arguments))
                status, headers = int(head[0].split(" ", 1)[0]), list(head[1])
                if visit and response.streaming and _is_live(response):
                    return Answer(status, headers, live=_live(response, visit))
                answer = _made_at_once(response, status, headers, is_head=environ["REQUEST_METHOD"] == "HEAD")
        except BaseException:
            if visit:
                visit.end()
            raise
        if visit:
            visit.end()
        return answer

    def _way(self, path: str, method: str) -> _Way:
        if method == "POST":
            if path == "/api/v1/events" or path in _OTLP:
                return self._events
            if path == "/api/v1/entitlements/check":
                return self._checks
            if path in _CALLS:
                return self._calls
        return self._others


async def _run(threads: ThreadPoolExecutor, function: Callable[..., Answer], *arguments: Any) -> Answer:
    return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)


def _made_at_once(response: Any, status: int, headers: Headers, *, is_head: bool) -> Answer:
    """What needs no place any more: a body, a file, or a stream that is written down as fast as it can be made."""
    file = getattr(response, "file_to_stream", None)
    if file is not None and not is_head:
        return Answer(status, headers, file=file, close=response.close)
    try:
        if not response.streaming:
            return Answer(status, headers, b"" if is_head else response.content)
        if is_head:
            return Answer(status, headers)
        spool, size = spooled(response)
        return Answer(status, with_length(headers, size), file=spool, close=spool.close)
    finally:
        response.close()


def _is_live(response: HttpResponseBase) -> bool:
    """Whether the pieces of a stream are to be sent as they are made."""
    is_of_events = response.headers.get("Content-Type", "").startswith("text/event-stream")
    return is_of_events or response.headers.get("X-Accel-Buffering") == "no"


def _live(response: Any, visit: _Visit) -> Live:
    """The pieces of a stream, each made in the place; closing it ends the visit."""

    def pieces() -> Iterator[bytes]:
        parts = iter(response)
        while True:
            with visit.lent():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close() -> None:
        try:
            with visit.lent():
                response.close()
        finally:
            visit.end()

    return Live(pieces(), visit.away, close)


def _refusal(response: HttpResponse, *, is_last: bool) -> Answer:
    """`response` without cookies; `is_last` has the connection closed, since the rest of the body may still come."""
    headers = [*response.items(), *([("Connection", "close")] if is_last else [])]
    return Answer(response.status_code, headers, response.content)
