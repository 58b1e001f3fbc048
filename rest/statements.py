"""SQL for the few statements that run with every request: the ORM's way to one costs ten times its run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import connection
from psycopg import Cursor

#: A connection that has answered within so many seconds is taken to be there still. Asking it first, as Django does
#: before the first statement of each request, would cost as much as the statement.
TRUSTED_SECONDS = 1.0


def run(statement: str, parameters: Sequence[Any], *, prepare: bool = True, binary: bool = False) -> Cursor[Any]:
    """The cursor of a statement after its run; its errors are Django's.

    It is prepared once a connection, where Django would write the values into it and have it planned each time.
    `binary` is how its rows come.
    """
    _ensure_connection()
    cursor = Cursor(connection.connection)

    def send(statement: str, parameters: Sequence[Any], *_: Any) -> Cursor[Any]:
        return cursor.execute(statement, parameters, prepare=prepare, binary=binary)

    execute: Callable[..., Cursor[Any]] = send
    for wrapper in reversed(connection.execute_wrappers):  # who watches Django's statements sees these too
        execute = partial(wrapper, execute)
    with connection.wrap_database_errors:
        return execute(statement, parameters, False, {"connection": connection, "cursor": cursor})


def _ensure_connection() -> None:
    driver, now = connection.connection, time.monotonic()
    if driver is not None and now - getattr(driver, "trusted_at", 0.0) < TRUSTED_SECONDS:
        connection.health_check_done = True  # type: ignore[attr-defined]
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.connection.trusted_at = now
