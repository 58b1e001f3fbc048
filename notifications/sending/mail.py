"""The sender of mail: takes what is due, hands it to Django's mail backend, writes down what came of it.

A mail is handed over once, as far as a database can say so: a sender killed between the server's yes and its own note
sends the same mail again, with the same Message-ID.
"""

from __future__ import annotations

import random
import smtplib
import time
import uuid
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import get_connection
from django.db import connection

from kernel.clock import Clock
from kernel.errors import TaximeterError
from kernel.redaction import without_paths
from notifications.composing import message_of
from notifications.domain.retries import MAIL_SECONDS, next_delay
from notifications.letters.kinds import SECRET
from notifications.models import Mail, MailSettings, MailStatus
from notifications.services.leases import release_lease, take_lease

#: A mail that was taken and not heard of again is free after this.
LEASE = timedelta(minutes=10)

_AT_ONCE = 20

_CLAIM = """
UPDATE notifications_mail SET leased_until = %(until)s WHERE id IN (
    SELECT id FROM notifications_mail
    WHERE status = 'queued' AND next_attempt_at <= %(now)s AND (leased_until IS NULL OR leased_until < %(now)s)
    ORDER BY next_attempt_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
) RETURNING id
"""


def send_mail(*, clock: Clock, seconds: float) -> int:
    """Send the mail that is due until none is, or `seconds` are over; answers how many were handed over.

    One process at a time does so.
    """
    name, holder, end, sent = "mail", uuid.uuid4().hex, time.monotonic() + seconds, 0
    try:
        while time.monotonic() < end and take_lease(name=name, holder=holder, now=clock()):
            mails = claim_mail(now=clock())
            if not mails:
                break
            sent += _send_some(mails, clock)
    finally:
        release_lease(name=name, holder=holder)
    return sent


def claim_mail(*, now: datetime) -> list[Mail]:
    """Take mails that are due."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "until": now + LEASE, "most": _AT_ONCE})
        ids = [row[0] for row in cursor.fetchall()]
    return list(Mail.objects.filter(pk__in=ids).select_related("organization").order_by("next_attempt_at", "id"))


def _send_some(mails: list[Mail], clock: Clock) -> int:
    chosen = MailSettings.objects.in_bulk({mail.organization_id for mail in mails})
    server, sent = get_connection(), 0
    try:
        for mail in mails:
            sent += _send(mail, chosen.get(mail.organization_id), server, clock)
    finally:
        server.close()
    return sent


def _send(mail: Mail, chosen: MailSettings | None, server: Any, clock: Clock) -> int:
    try:
        message = message_of(mail, chosen)
        server.open()  # once: it then stays open from one mail to the next
        message.connection = server
        message.send()
    except Exception as error:  # of the mail server, of whoever makes the attachment
        with suppress(Exception):
            server.close()
        _note_failure(mail, error, clock())
        return 0
    context = {} if mail.kind in SECRET else mail.context
    Mail.objects.filter(pk=mail.pk).update(
        status=MailStatus.SENT,
        sent_at=clock(),
        attempts=mail.attempts + 1,
        leased_until=None,
        last_error="",
        context=context,
    )
    return 1


def _note_failure(mail: Mail, error: Exception, now: datetime) -> None:
    attempts = mail.attempts + 1
    delay = next_delay(failed=attempts, schedule=MAIL_SECONDS, chance=random.random())  # noqa: S311 - nothing secret
    if delay is None or _is_final(error):
        changes: dict[str, object] = {"status": MailStatus.FAILED}
    else:
        changes = {"next_attempt_at": now + delay}
    reason = without_paths(f"{type(error).__name__}: {error}").replace("\x00", "")[:500]
    Mail.objects.filter(pk=mail.pk).update(attempts=attempts, leased_until=None, last_error=reason, **changes)


def _is_final(error: Exception) -> bool:
    """Whether the same mail would fail the same way again: the server refuses it for good, or it cannot be written."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, TaximeterError | ValueError)
