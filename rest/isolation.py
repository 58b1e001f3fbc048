"""How much of what others do meanwhile a transaction sees."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import UniqueViolation

from kernel.errors import ConflictError

T = TypeVar("T")

_REFUSALS = 3
_TRIES, _LONGEST_PAUSE = 12, 0.5
#: serialization_failure, deadlock_detected, lock_not_available.
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})


class ConflictingChanges(ConflictError):
    """Other requests change the same things at this moment. Nothing of this one was stored."""

    code = "conflicting_changes"

    def __init__(self) -> None:
        super().__init__(
            "Other requests are changing the same things at this moment; nothing of this one was stored. "
            "Send it again after a second"
        )


def read_one_snapshot() -> None:
    """Let the transaction that has just begun see one snapshot of the database throughout.

    What it reads then belongs together, such as usage, invoices and the snapshot they name. Within another transaction
    (as in a test) the isolation is that one's. PostgreSQL raises a serialization failure where a row this transaction
    changes was changed by another meanwhile; it is to be tried again.
    """
    if not connection.savepoint_ids:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


@contextmanager
def one_snapshot() -> Iterator[None]:
    """A transaction of `read_one_snapshot`."""
    with transaction.atomic():
        read_one_snapshot()
        yield


def is_conflict(error: BaseException) -> bool:
    """Return whether the database refused a transaction only because another one came in between: the same may succeed
    when sent again. SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
    return getattr(error.__cause__, "sqlstate", None) in _CONFLICTS


def retried(work: Callable[[], T]) -> T:
    """Return the answer of `work`, a whole transaction, running it again after a conflict with another transaction:
    a serialization failure, a deadlock, or a lock not got in time.

    After `_TRIES` conflicts raises `ConflictingChanges`. What another transaction has stored meanwhile is not seen, and
    so may be stored twice: the database refuses it, and the next try sees it. Refused more often than `_REFUSALS`, it
    is a fault of `work`'s own.
    """
    conflicts = refused = 0
    while True:
        try:
            return work()
        except OperationalError as error:
            if connection.in_atomic_block or not is_conflict(error):
                raise
            conflicts += 1
            if conflicts == _TRIES:
                raise ConflictingChanges from error
            time.sleep(random.uniform(0, _LONGEST_PAUSE) * conflicts / _TRIES)  # noqa: S311 - no secret
        except IntegrityError as error:
            refused += 1
            if connection.in_atomic_block or not isinstance(error.__cause__, UniqueViolation) or refused == _REFUSALS:
                raise
