"""How much of what others do meanwhile a transaction sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import SerializationFailure, UniqueViolation

T = TypeVar("T")

_REFUSALS = 3


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


def retried(work: Callable[[], T]) -> T:
    """What `work`, a whole transaction, answers; done again for as long as another transaction came in between.

    What another one has stored meanwhile is not seen, and so may be stored twice: the database refuses it, and the
    next try sees it. Refused more often than that, it is a fault of `work`'s own.
    """
    refused = 0
    while True:
        try:
            return work()
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, SerializationFailure):
                raise
        except IntegrityError as error:
            refused += 1
            if connection.in_atomic_block or not isinstance(error.__cause__, UniqueViolation) or refused == _REFUSALS:
                raise
