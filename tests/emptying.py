"""The database emptied after a test that commits, in milliseconds where Django's `flush` takes half a second.

`flush` truncates every table and then writes the content types and permissions again. Here rows are deleted from the
tables that have any, and what migrations wrote about the models stays.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

#: What describes the models, the same for every test.
_KEPT = frozenset({"django_content_type", "auth_permission", "django_migrations"})
#: Larger tables are truncated, as deleted rows would slow down the tests that follow.
_LARGE_BYTES = 1 << 20
_SIZE = """
SELECT pg_total_relation_size(%(table)s::regclass)
     + coalesce((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%(table)s::regclass)), 0)
"""


def tables_with_rows() -> list[str]:
    """The tables that have any row, those that describe the models left out."""
    names = [name for name in connection.introspection.django_table_names(only_existing=True) if name not in _KEPT]
    parts = [
        f"SELECT '{name}' FROM (SELECT FROM {connection.ops.quote_name(name)} LIMIT 1) AS any_row" for name in names
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return [name for (name,) in cursor.fetchall()]


def empty_database(*_: Any) -> None:
    """Remove all rows of all tables. Triggers and foreign keys do not see it; sequences go on."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for name in tables_with_rows():
            table = connection.ops.quote_name(name)
            cursor.execute(_SIZE, {"table": table})
            (size,) = cursor.fetchone()
            cursor.execute(f"TRUNCATE {table} CASCADE" if size > _LARGE_BYTES else f"DELETE FROM {table}")
        cursor.execute("RESET session_replication_role")
