"""Asking for mail, in the transaction of what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection

from kernel.errors import InvalidError
from notifications.contracts import QueuedMail
from notifications.mail_kinds import MAIL_KINDS
from notifications.models import MailSettings
from notifications.models.mail import mail_id
from rest.renderers import encode_json

_AT_ONCE = 1000

#: One parameter for all of them. The same key again changes nothing.
_INSERT = """
INSERT INTO notifications_mail (
    id, organization_id, kind, key, "to", context, status, attempts, next_attempt_at, last_error, created_at
)
SELECT id, organization_id, kind, key, "to", context, 'queued', 0, at, '', at
FROM json_to_recordset(%s) AS mail (
    id text, organization_id bigint, kind text, key text, "to" text[], context jsonb, at timestamptz
)
ON CONFLICT (organization_id, key) DO NOTHING
"""


class AddressInvalid(InvalidError):
    """No mail can be sent to this address."""

    code = "mail_address_invalid"


def queue_mail(
    *, organization_id: int, kind: str, to: Sequence[str], context: Mapping[str, Any], key: str, at: datetime
) -> None:
    """Have a mail sent once the caller's transaction is committed: once for each `key`, however often it is asked for.

    Nothing is sent of a kind that the organization has switched off, or to nobody. Raises `AddressInvalid`, and
    `InvalidError` with the code `mail_kind_unknown`.
    """
    queue_mails([QueuedMail(organization_id, kind, to, context, key, at)])


def queue_mails(mails: Sequence[QueuedMail]) -> None:
    """As `queue_mail`, for many with one INSERT per 1,000."""
    switched_off = dict(
        MailSettings.objects.filter(organization_id__in={one.organization_id for one in mails}).values_list(
            "organization_id", "switched_off"
        )
    )
    rows = [_row(one) for one in mails if one.to and one.kind not in switched_off.get(one.organization_id, ())]
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _AT_ONCE):
            cursor.execute(_INSERT, [msgspec.json.encode(rows[start : start + _AT_ONCE]).decode()])


def _row(one: QueuedMail) -> dict[str, Any]:
    if one.kind not in MAIL_KINDS:
        raise InvalidError(f"There is no mail of the kind {one.kind!r}", code="mail_kind_unknown")
    for address in one.to:
        if not is_address(address):
            raise AddressInvalid(f"{address!r} is no e-mail address")
    return {
        "id": mail_id(),
        "organization_id": one.organization_id,
        "kind": one.kind,
        "key": one.key,
        "to": list(one.to),
        "context": msgspec.Raw(encode_json(dict(one.context))),
        "at": one.at,
    }


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Whether mail can be sent to `text`: one address, without a name, a line break or a list."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254
