"""What people change about mail: in whose name it is sent, and a mail that failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.facade import record_audit
from kernel.errors import ConflictError, InvalidError
from notifications.mail_kinds import MAIL_KINDS
from notifications.models import Mail, MailSettings, MailStatus
from notifications.services.queueing import AddressInvalid, is_address


def change_mail_settings(
    *,
    organization_id: int,
    sender_name: str,
    reply_to: str,
    accent: str,
    switched_off: Sequence[str],
    actor: str = "system",
) -> MailSettings:
    """Raises `AddressInvalid`, and `InvalidError` for a name with line breaks, a colour or a kind that is none."""
    if reply_to and not is_address(reply_to):
        raise AddressInvalid(f"{reply_to!r} is no e-mail address")
    if not sender_name.isprintable() or len(sender_name) > 100:
        raise InvalidError("A sender's name has at most 100 characters in one line", code="sender_name_invalid")
    if accent and not re.fullmatch(r"#[0-9a-fA-F]{6}", accent):
        raise InvalidError("A colour is written like #1f4e79", code="accent_invalid")
    if unknown := set(switched_off) - set(MAIL_KINDS):
        raise InvalidError(f"There is no mail of the kind {min(unknown)!r}", code="mail_kind_unknown")
    with transaction.atomic():
        changed, _ = MailSettings.objects.update_or_create(
            organization_id=organization_id,
            defaults={
                "sender_name": sender_name,
                "reply_to": reply_to,
                "accent": accent,
                "switched_off": sorted(set(switched_off)),
            },
        )
        record_audit(
            organization_id=organization_id,
            actor=actor,
            action="mail_settings.update",
            target=changed.sender_name or "mail",
            switched_off=changed.switched_off,
        )
    return changed


def retry_mail(*, mail: Mail, now: datetime, actor: str = "system") -> None:
    """Send a mail that failed once more, with all its retries. Raises `ConflictError` with the code
    `mail_not_failed`."""
    with transaction.atomic():
        locked = Mail.objects.select_for_update().get(pk=mail.pk)
        if locked.status != MailStatus.FAILED:
            raise ConflictError(f"This mail is {locked.status}", code="mail_not_failed")
        locked.status, locked.attempts, locked.next_attempt_at = MailStatus.QUEUED, 0, now
        locked.save(update_fields=["status", "attempts", "next_attempt_at"])
        record_audit(
            organization_id=locked.organization_id, actor=actor, action="mail.retry", target=locked.pk, kind=locked.kind
        )
