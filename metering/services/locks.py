"""Advisory locks of PostgreSQL around the moves between the log and its archives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_MOVE, _RETENTION = "taximeter: events move", "taximeter: retention"


def lock_log_shared() -> None:
    """Until the end of the transaction no event moves between log and archive: what a projection's step finds to
    be in one of them is still there when it reads."""
    _execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", _MOVE)


def lock_log() -> None:
    """The moving side's lock; waits for the steps of projections that are under way."""
    _execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", _MOVE)


@contextmanager
def only_retention() -> Iterator[bool]:
    """One process at a time; yields whether this is the one. Freed when the connection goes, too."""
    got = _execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", _RETENTION)
    try:
        yield got
    finally:
        if got and connection.connection is not None and not connection.connection.closed:
            _execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", _RETENTION)


def _execute(statement: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [name])
        return bool(cursor.fetchone()[0])
