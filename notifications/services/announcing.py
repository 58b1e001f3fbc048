"""Writing down what happened, in the transaction in which it happens; whoever listens hears of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Q

from kernel.errors import InvalidError
from notifications.contracts import Announcement
from notifications.event_types import EVENT_TYPES
from notifications.models import WebhookEndpoint
from notifications.models.webhooks import webhook_event_id
from rest.renderers import encode_json

#: Events written with one statement.
_AT_ONCE = 1000

#: One parameter for all of them: at the end of a month a thousand invoices are told of in a batch.
_INSERT = """
INSERT INTO notifications_webhookevent (public_id, organization_id, type, subject, body, at, is_distributed)
SELECT public_id, organization_id, type, subject, body, at, false
FROM json_to_recordset(%s) AS event (
    public_id text, organization_id bigint, type text, subject text, body text, at timestamptz
)
"""


def announce(announcements: Sequence[Announcement]) -> None:
    """Let every endpoint that listens hear of this once the caller's transaction is committed.

    What nobody listens to is not written. One look at the endpoints and one INSERT per 1,000 events, however many
    endpoints there are. Raises `InvalidError` with the code `event_type_unknown` for a type that
    `notifications.event_types` does not have.
    """
    if unknown := {one.type for one in announcements} - EVENT_TYPES.keys():
        raise InvalidError(f"There is no event type {min(unknown)!r}", code="event_type_unknown")
    listened = _listened({one.organization_id for one in announcements}, {one.type for one in announcements})
    events = [
        {
            "public_id": webhook_event_id(),
            "organization_id": one.organization_id,
            "type": one.type,
            "subject": one.subject,
            "body": event_body(type=one.type, at=one.at, data=one.data),
            "at": one.at,
        }
        for one in announcements
        if _is_heard(one.organization_id, one.type, listened)
    ]
    with connection.cursor() as cursor:
        for start in range(0, len(events), _AT_ONCE):
            cursor.execute(_INSERT, [msgspec.json.encode(events[start : start + _AT_ONCE]).decode()])


def listened_types(*, organization_id: int, types: Sequence[str]) -> set[str]:
    """Those of `types` that anybody listens to, so that `data` needs to be made only of them."""
    listened = _listened({organization_id}, set(types))
    return {one for one in types if _is_heard(organization_id, one, listened)}


def is_listened_to(*, organization_id: int, type: str) -> bool:
    """Whether announcing events of this type reaches anybody, so that `data` needs to be made."""
    return _is_heard(organization_id, type, _listened({organization_id}, {type}))


def event_body(*, type: str, at: datetime, data: Mapping[str, Any]) -> str:
    """What a receiver reads. Source: Standard Webhooks, "payload structure" (standardwebhooks.com)."""
    return encode_json({"type": type, "timestamp": at, "data": dict(data)}).decode()


def _listened(organizations: set[int], types: set[str]) -> dict[int, list[list[str]]]:
    """The lists of types that enabled endpoints listen to, by organization; an empty list stands for all types."""
    rows = WebhookEndpoint.objects.filter(
        Q(event_types=[]) | Q(event_types__overlap=sorted(types)), organization_id__in=organizations, enabled=True
    )
    found: dict[int, list[list[str]]] = {}
    for organization_id, chosen in rows.values_list("organization_id", "event_types"):
        found.setdefault(organization_id, []).append(chosen)
    return found


def _is_heard(organization_id: int, type: str, listened: Mapping[int, Sequence[Sequence[str]]]) -> bool:
    return any(not chosen or type in chosen for chosen in listened.get(organization_id, ()))
