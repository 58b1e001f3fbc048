"""A database of its own for a benchmark: the embedded PostgreSQL, durable as in production, migrated."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.services import Services


@contextmanager
def database() -> Iterator[Services]:
    """Django on an empty, migrated database with `synchronous_commit=on`; all gone afterwards."""
    with Services.temporary(durable=True) as services:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "TAXIMETER_ENV": "development",
            "TAXIMETER_LOG_LEVEL": "ERROR",
            "DATABASE_URL": services.postgres_url,
            "REDIS_URL": services.redis_url,
        }
        sys.path.insert(0, str(Path(__file__).parent.parent / "sdk" / "src"))
        import django  # noqa: PLC0415 - the environment comes first
        from django.core.management import call_command  # noqa: PLC0415
        from django.db import connections  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        try:
            yield services
        finally:
            connections.close_all()
