from __future__ import annotations

from django.db import connection


def refresh_statistics() -> None:
    """Let the database look at how usage is distributed now.

    It does so by itself within a minute or so of many changes. Who reads usage of all customers right after a bulk
    import cannot wait for that: planned by what was true before, such reads took almost twenty times as long.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE metering_usagebucket")
