"""Asking for mail, in the transaction of what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from kernel.errors import InvalidError
from notifications.contracts import QueuedMail
from notifications.mail_kinds import MAIL_KINDS
from notifications.models import Mail, MailSettings
from rest.renderers import encode_json

_AT_ONCE = 1000


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
    Mail.objects.bulk_create(rows, batch_size=_AT_ONCE, ignore_conflicts=True)


def _row(one: QueuedMail) -> Mail:
    if one.kind not in MAIL_KINDS:
        raise InvalidError(f"There is no mail of the kind {one.kind!r}", code="mail_kind_unknown")
    for address in one.to:
        if not is_address(address):
            raise AddressInvalid(f"{address!r} is no e-mail address")
    return Mail(
        organization_id=one.organization_id,
        kind=one.kind,
        key=one.key,
        to=list(one.to),
        context=json.loads(encode_json(dict(one.context))),
        next_attempt_at=one.at,
        created_at=one.at,
    )


def is_address(text: str) -> bool:
    """Whether mail can be sent to `text`: one address, without a name, a line break or a list."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254
