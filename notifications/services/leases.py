"""One sender at a time for each place, and another at once when it is done or dead."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from notifications.models import SenderLease

#: A sender says at least this often that it is alive.
LEASE = timedelta(seconds=30)

_TAKE = """
INSERT INTO notifications_senderlease AS lease (name, holder, until) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE lease.until < %s OR lease.holder = EXCLUDED.holder
RETURNING name
"""


def take_lease(*, name: str, holder: str, now: datetime) -> bool:
    """Take the place `name`, or keep it; False while another holder has it."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [name, holder, now + LEASE, now])
        return cursor.fetchone() is not None


def release_lease(*, name: str, holder: str) -> None:
    SenderLease.objects.filter(name=name, holder=holder).delete()
