"""What stands before Django: bodies are read, and only so many requests are worked on at a time.

The web server has many threads, which mostly wait: for a body, for a place in a line, for the engine. Those who work
hold a place, and a place has a database connection, so that there are as many connections as places and no more.
Somebody is always free to say at once that the server is overloaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from config import api_errors
from inference.facade import openai_refusal
from kernel.errors import TaximeterError
from metering.facade import otlp_refusal
from rest.bodies import Bodies
from rest.line import Line

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Refuse = Callable[[TaximeterError, Environ], HttpResponse]

# The threads of a process (`launcher.programs.web_server`) are enough for all that the lines below let in, for all
# whose bodies are read, and for some that are free to refuse.


_CALLS = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}


class Place:
    """The right to work, and the database connection to do it with."""

    def __init__(self) -> None:
        self.connection = connections.create_connection(DEFAULT_DB_ALIAS)
        self.connection.inc_thread_sharing()  # by one thread after the other

    @contextmanager
    def lent(self) -> Iterator[None]:
        """To this thread."""
        connections[DEFAULT_DB_ALIAS] = self.connection
        try:
            yield
        finally:
            with suppress(AttributeError):  # set aside, and sent away on the way back
                del connections[DEFAULT_DB_ALIAS]


class _Visit:
    """A request with all that it occupies."""

    def __init__(self, line: Line[Place], place: Place, bodies: Bodies, held: int) -> None:
        self.place = place
        self._line, self._bodies, self._held = line, bodies, held
        self._since = time.monotonic()
        self._has_place = True

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Leaves the place to others while this thread waits for something that needs none: the engine."""
        del connections[DEFAULT_DB_ALIAS]
        self._line.leave(self.place, held_since=self._since)
        self._has_place = False
        try:
            yield
        finally:
            self.place, self._since, self._has_place = self._line.enter(), time.monotonic(), True
            connections[DEFAULT_DB_ALIAS] = self.place.connection

    def end(self) -> None:
        """A second time nothing happens."""
        self._bodies.release(self._held)
        self._held = 0
        if self._has_place:
            self._has_place = False
            self._line.leave(self.place, held_since=self._since)


class _Streaming:
    """A response that is made while it is sent, with its place until its end."""

    def __init__(self, response: HttpResponseBase, visit: _Visit) -> None:
        self._response, self._visit = response, visit
        self._parts = iter(response)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._visit.place.lent():
            return next(self._parts)

    def close(self) -> None:
        try:
            with self._visit.place.lent():
                self._response.close()
        finally:
            self._visit.end()


def _line(places: int, *, most_waiting: int, longest_wait: float) -> Line[Place]:
    return Line([Place() for _ in range(places)], most_waiting=most_waiting, longest_wait=longest_wait)


def _problem(error: TaximeterError, environ: Environ) -> HttpResponse:
    refusal = api_errors.handle(error, {})
    assert refusal is not None
    return refusal


class Entrance:
    """A WSGI application around Django's."""

    def __init__(self, application: Callable[[Environ, StartResponse], HttpResponseBase]) -> None:
        self._application = application
        self._bodies = Bodies()
        events = _line(3, most_waiting=96, longest_wait=1.0)
        self._events: tuple[Line[Place], Refuse] = (events, _problem)
        self._traces: tuple[Line[Place], Refuse] = (events, otlp_refusal)
        # These wait for the engine, which has a line of its own, and hold no place while they do.
        self._calls: tuple[Line[Place], Refuse] = (_line(4, most_waiting=128, longest_wait=10.0), openai_refusal)
        # Agents wait for the answer before they act; they do not wait behind reports.
        self._checks: tuple[Line[Place], Refuse] = (_line(2, most_waiting=96, longest_wait=1.0), _problem)
        self._others: tuple[Line[Place], Refuse] = (_line(4, most_waiting=32, longest_wait=10.0), _problem)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/healthz" or path.startswith("/static/"):  # these ask no database
            return self._application(environ, start_response)
        line, refuse = self._way(path, environ["REQUEST_METHOD"])
        held = 0
        try:
            held = self._bodies.take(environ)
            place = line.enter()
        except TaximeterError as error:
            self._bodies.release(held)
            return _send(refuse(error, environ), start_response)
        visit = _Visit(line, place, self._bodies, held)
        environ["taximeter.set_aside"] = visit.set_aside
        try:
            with place.lent():
                response = self._application(environ, start_response)
                if not response.streaming:
                    response.close()
        except BaseException:
            visit.end()
            raise
        if response.streaming:
            return _Streaming(response, visit)
        visit.end()
        return [response.content]  # type: ignore[attr-defined]

    def _way(self, path: str, method: str) -> tuple[Line[Place], Refuse]:
        if method == "POST":
            if path == "/api/v1/events":
                return self._events
            if path == "/v1/traces":
                return self._traces
            if path == "/api/v1/entitlements/check":
                return self._checks
            if path in _CALLS:
                return self._calls
        return self._others


def _send(refusal: HttpResponse, start_response: StartResponse) -> list[bytes]:
    start_response(f"{refusal.status_code} {refusal.reason_phrase}", list(refusal.items()))
    return [refusal.content]
