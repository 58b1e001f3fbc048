"""For whom a request is, asked before its body is read and remembered for some seconds.

One thread with a database connection of its own asks for all keys at once that came meanwhile, so that no number of
invalid keys makes more than one query at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.cookies import CookieError, SimpleCookie
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.urls import Resolver404, resolve

from accounts.facade import needs_key, owners_of_keys, require_working, secret_hash_of, users_of_sessions
from kernel.clock import system_clock
from kernel.errors import UnauthenticatedError
from rest.addresses import client_address, client_network
from rest.line import Caller

logger = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")
Environ = Mapping[str, Any]

#: Of all who have not signed in: together they have the share of one organization.
VISITORS = "visitors"
_REMEMBERED_SECONDS = 10.0
_MOST_REMEMBERED = 10_000
_MOST_AT_ONCE = 500
_MOST_PENDING = 5_000


class Unknown(Exception):
    """The database does not say; the view that needs it will refuse in its own words."""


class Lookup(Generic[Q, A]):
    """Answers of `ask`, which takes many questions at once and leaves out those it has no answer to."""

    def __init__(self, ask: Callable[[list[Q]], dict[Q, A]], thread: ThreadPoolExecutor) -> None:
        self._ask, self._thread = ask, thread
        self._known: dict[Q, tuple[A | None, float]] = {}
        self._pending: dict[Q, asyncio.Future[A | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def find(self, question: Q) -> A | None:
        """The answer, None where there is none; raises `Unknown` where it cannot be asked for."""
        answer, until = self._known.get(question, (None, 0.0))
        if until > time.monotonic():
            return answer
        future = self._pending.get(question)
        if future is None:
            if len(self._pending) >= _MOST_PENDING:
                raise Unknown
            future = self._pending[question] = asyncio.get_running_loop().create_future()
            if self._running is None:
                self._running = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            batch = dict(list(self._pending.items())[:_MOST_AT_ONCE])
            try:
                found = await loop.run_in_executor(self._thread, _asked, self._ask, list(batch))
            except (DatabaseError, InterfaceError) as error:
                logger.warning("cannot look up who asks: %s", error)
                self._settle(batch, None)
            except BaseException:
                self._settle(batch, None)
                self._running = None
                raise
            else:
                self._settle(batch, found)
        self._running = None

    def _settle(self, batch: Iterable[Q], found: Mapping[Q, A] | None) -> None:
        until = time.monotonic() + _REMEMBERED_SECONDS
        for question in batch:
            future = self._pending.pop(question)
            if found is None:
                future.set_exception(Unknown())
                future.exception()  # looked at, even where nobody waits any longer
                continue
            self._known.pop(question, None)
            self._known[question] = (found.get(question), until)
            future.set_result(found.get(question))
        while len(self._known) > _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]


class Callers:
    """Tells callers apart. Used from one event loop."""

    def __init__(self) -> None:
        thread = ThreadPoolExecutor(1, thread_name_prefix="callers")
        self._keys = Lookup(owners_of_keys, thread)
        self._sessions = Lookup(users_of_sessions, thread)

    async def identify(self, environ: Environ) -> Caller:
        """The caller of a request; raises `UnauthenticatedError` where its address needs an API key that works."""
        try:
            if environ["PATH_INFO"].startswith(("/api/", "/v1/")):
                return await self._by_key(environ)
            if (session := _session_of(environ)) and (user := await self._sessions.find(session)) is not None:
                return Caller(f"user {user}")
        except Unknown:
            pass
        return visitor(environ)

    async def _by_key(self, environ: Environ) -> Caller:
        try:
            secret_hash = secret_hash_of(environ.get("HTTP_AUTHORIZATION", ""))
            owner = require_working(await self._keys.find(secret_hash), now=system_clock())
        except UnauthenticatedError:
            if _needs_key(environ["PATH_INFO"]):
                raise
            return visitor(environ)
        return Caller(f"organization {owner.organization}", f"key {owner.key}")


def visitor(environ: Environ) -> Caller:
    """Somebody who has not signed in, by the address."""
    return Caller(VISITORS, client_network(environ) or client_address(environ) or environ.get("REMOTE_ADDR", ""))


def _needs_key(path: str) -> bool:
    try:
        return needs_key(resolve(path).func)
    except Resolver404:
        return False


def _session_of(environ: Environ) -> str | None:
    try:
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    value = cookie.value if cookie else ""
    return value if 8 <= len(value) <= 64 and value.isascii() and value.isalnum() else None


def _asked(ask: Callable[[list[Q]], dict[Q, A]], questions: list[Q]) -> dict[Q, A]:
    connection.close_if_unusable_or_obsolete()
    try:
        return ask(questions)
    except BaseException:
        connection.close()
        raise
