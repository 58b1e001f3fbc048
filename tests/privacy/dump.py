"""All that a reader of the database and of this server's files could find."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection

_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


def tables_with(marker: str) -> dict[str, list[str]]:
    """The rows of each table in which a column shows `marker`, as text or as the bytes of it, in any case."""
    found: dict[str, list[str]] = {}
    wanted = [f"%{marker}%", f"%{marker.encode().hex()}%"]
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t WHERE t::text ILIKE ANY (%s)', [wanted])
            rows = [row[0] for row in cursor.fetchall()]
            if rows:
                found[table] = rows
    return found


def files_with(marker: str) -> list[str]:
    """Files of exports and mail whose name or content shows `marker`."""
    found = []
    for root in (Path(settings.EXPORT_DIR), Path(settings.EMAIL_FILE_PATH)):
        for path in root.rglob("*"):
            if path.is_file() and (marker in path.name or marker.encode() in path.read_bytes()):
                found.append(str(path.relative_to(root)))
    return found
