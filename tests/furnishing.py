"""Data that many tests begin with, made once per process and written again as rows for each test after that.

    @pytest.fixture
    def vendor(db):
        return furnish(make_vendor, keep=lambda made: made.pk, find=Vendor.objects.get)

What `make` wrote goes into the transaction of each later test in milliseconds, with the same keys; sequences go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection

from tests.emptying import tables_with_rows

T = TypeVar("T")

_COLUMNS = """
SELECT quote_ident(attname) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""


@dataclass(frozen=True, slots=True)
class _Furniture:
    kept: Any
    #: Each table with its columns, as SQL, and its rows as COPY writes them.
    rows: tuple[tuple[str, bytes], ...]


_made: dict[str, _Furniture] = {}


def furnish(make: Callable[[], T], *, keep: Callable[[T], Any], find: Callable[[Any], T]) -> T:
    """Answer what `make` makes. `keep` says what `find` needs in later tests to answer the same from the database."""
    name = f"{make.__module__}.{make.__qualname__}"
    if known := _made.get(name):
        _write(known.rows)
        return find(known.kept)
    was_empty = not tables_with_rows()
    result = make()
    if was_empty:  # else the rows of other fixtures would be taken for those of this one
        _made[name] = _Furniture(keep(result), _read())
    return result


def _read() -> tuple[tuple[str, bytes], ...]:
    return tuple((target, _rows_of(target)) for target in map(_target, tables_with_rows()))


def _target(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [connection.ops.quote_name(table)])
        columns = ", ".join(column for (column,) in cursor.fetchall())
    return f"{connection.ops.quote_name(table)} ({columns})"


def _rows_of(target: str) -> bytes:
    table, columns = target.rstrip(")").split(" (", 1)
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY (SELECT {columns} FROM {table}) TO STDOUT") as copy,
    ):
        return b"".join(bytes(block) for block in copy)


def _write(rows: tuple[tuple[str, bytes], ...]) -> None:
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # triggers have seen these rows
        for target, content in rows:
            with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                copy.write(content)
        cursor.execute("SET LOCAL session_replication_role = origin")
