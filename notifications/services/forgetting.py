"""Mail and webhooks about a customer whose personal details are removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.facade import Person
from notifications.letters.kinds import SECRET
from notifications.models import Mail, WebhookEvent

_MAIL = """
SELECT id FROM notifications_mail
WHERE organization_id = %(organization)s AND (
    "to" && %(names)s::varchar[]
    OR EXISTS (SELECT FROM unnest(%(written)s::text[]) AS name WHERE position(name IN context::text) > 0)
    OR EXISTS (SELECT FROM unnest(%(things)s::text[]) AS thing WHERE position(thing IN key) > 0)
)
"""

_EVENTS = """
SELECT id FROM notifications_webhookevent
WHERE organization_id = %(organization)s AND (
    subject = ANY (%(things)s::text[])
    OR EXISTS (SELECT FROM unnest(%(written)s::text[]) AS name WHERE position(name IN body) > 0)
)
"""


def forget_messages(person: Person) -> dict[str, int]:
    """Delete the mail to and about a customer, and the webhook events about it with their deliveries and attempts,
    those too that were not sent yet. Receivers keep what they received."""
    mails, events = _found(person)
    Mail.objects.filter(pk__in=mails).delete()
    WebhookEvent.objects.filter(pk__in=events).delete()
    return {"mails": len(mails), "webhook_events": len(events)}


def _found(person: Person) -> tuple[list[str], list[int]]:
    """Ids of the mail to or about a customer, and of the webhook events about it."""
    values: dict[str, Any] = {
        "organization": person.organization_id,
        "names": list(person.texts),
        "things": [*person.customers, *person.things],
        "written": _as_json(person.names),
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAIL, values)
        mails = [row[0] for row in cursor.fetchall()]
        cursor.execute(_EVENTS, values)
        events = [row[0] for row in cursor.fetchall()]
    return mails, events


def remove_mail_files(person: Person) -> int:
    """Remove mail to the customer that was written as files on this machine (`notifications.sending.eml_files`)."""
    directory = Path(getattr(settings, "EMAIL_FILE_PATH", None) or "/nonexistent")
    removed = 0
    for path in directory.glob("*.eml"):
        if any(address in path.name for address in person.texts if "@" in address):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _as_json(names: tuple[str, ...]) -> list[str]:
    """Values as JSON writes them, with and without escapes, so that a name is not found within another word."""
    return sorted({json.dumps(name, ensure_ascii=escapes) for name in names if name for escapes in (True, False)})


def messages_of(person: Person) -> dict[str, list[dict[str, Any]]]:
    """The mail and the webhook events that `forget_messages` would delete, for an export; mail with secrets in it is
    named and not shown."""
    mails, events = _found(person)
    mail = Mail.objects.filter(pk__in=mails).order_by("id")
    webhook = WebhookEvent.objects.filter(pk__in=events).order_by("id")
    return {
        "mails": [
            {name: getattr(one, name) for name in ("id", "kind", "to", "status", "created_at", "sent_at")}
            | {"context": {} if one.kind in SECRET else one.context}
            for one in mail
        ],
        "webhook_events": [
            {"id": one.public_id, "type": one.type, "at": one.at, "body": json.loads(one.body)} for one in webhook
        ],
    }
