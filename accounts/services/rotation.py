"""Encrypts and signs with the present keys what earlier ones have encrypted or signed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.apps import apps
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core import signing
from django.db import connection, transaction
from django.utils.crypto import constant_time_compare

from accounts.models import Session, User
from accounts.sessions import SessionStore
from rest.encryption import EncryptedColumn, SecretUnreadable

_BATCH = 500


def rotate_column(column: EncryptedColumn) -> Counter[str]:
    """Encrypt a column with the present key, some rows at a time; how many were `rotated`, `current` and `unreadable`.

    Each batch is a transaction, and a row that is current stays as it is: killed at any time, a next run goes on.
    """
    model = apps.get_model(column.model)
    names = {
        "table": connection.ops.quote_name(model._meta.db_table),
        "pk": connection.ops.quote_name(model._meta.pk.column),
        "field": connection.ops.quote_name(model._meta.get_field(column.field).column),
    }
    counts: Counter[str] = Counter(rotated=0, current=0, unreadable=0)
    after: Any = None
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            # Past the model, whose fields may decrypt by themselves.
            start = "" if after is None else "WHERE {pk} > %(after)s "
            query = "SELECT {pk}, {field} FROM {table} " + start + "ORDER BY {pk} LIMIT %(most)s FOR UPDATE"  # noqa: S608 - of our own models
            cursor.execute(query.format(**names), {"after": after, "most": _BATCH})
            rows = cursor.fetchall()
            for pk, stored in rows:
                counts[_rotate(cursor, column, names, pk, stored)] += 1
        if len(rows) < _BATCH:
            del counts[""]
            return counts
        after = rows[-1][0]


def _rotate(cursor: Any, column: EncryptedColumn, names: dict[str, str], pk: Any, stored: Any) -> str:
    if not stored:
        return ""
    is_text = isinstance(stored, str)
    try:
        renewed = column.renewed(stored.encode() if is_text else bytes(stored))
    except SecretUnreadable:
        return "unreadable"
    if renewed is None:
        return "current"
    statement = "UPDATE {table} SET {field} = %s WHERE {pk} = %s".format(**names)  # noqa: S608 - of our own models
    cursor.execute(statement, [renewed.decode() if is_text else renewed, pk])
    return "rotated"


def rotate_sessions() -> Counter[str]:
    """Sign sessions with the present `SECRET_KEY`, so that they go on when the fallbacks are removed."""
    counts: Counter[str] = Counter(rotated=0, current=0, unreadable=0)
    keys = list(Session.objects.order_by("key_hash").values_list("key_hash", flat=True))
    for key in keys:
        with transaction.atomic():
            row = Session.objects.select_for_update().filter(key_hash=key).first()
            if row is not None:
                counts[_sign(row)] += 1
    return counts


def _sign(row: Session) -> str:
    store = SessionStore()
    try:
        signing.loads(row.session_data, salt=store.key_salt, serializer=store.serializer, fallback_keys=[])
        return "current"
    except signing.BadSignature:
        pass
    data = store.decode(row.session_data)
    if not data:
        return "unreadable"
    user = User.objects.filter(pk=data.get(SESSION_KEY, 0)).first()
    if user is not None:
        known = data.get(HASH_SESSION_KEY, "")
        if any(constant_time_compare(known, one) for one in user.get_session_auth_fallback_hash()):
            data[HASH_SESSION_KEY] = user.get_session_auth_hash()
    row.session_data = store.encode(data)
    row.save(update_fields=["session_data"])
    return "rotated"
