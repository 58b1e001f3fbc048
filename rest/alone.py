"""Work that one process does at a time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from rest.isolation import ConflictingChanges

#: A request waits so long for its turn, less than proxies and clients commonly wait for an answer.
_PATIENCE_SECONDS, _PAUSE_SECONDS = 25.0, 0.05


@contextmanager
def alone_with(name: str) -> Iterator[bool]:
    """Whether nobody else holds `name`; if so, holds it for this database session. The server lets go of it when the
    session ends, however it ends."""
    lock = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


@contextmanager
def in_turn(name: str) -> Iterator[None]:
    """Hold `name` for this database session, once all others have let go of it. Within a transaction nothing is held:
    what waits there has read already.

    Raises `ConflictingChanges` after `_PATIENCE_SECONDS`.
    """
    if connection.in_atomic_block:
        yield
        return
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with alone_with(name) as alone:
            if alone:
                yield
                return
        if time.monotonic() > until:
            raise ConflictingChanges
        time.sleep(_PAUSE_SECONDS)
