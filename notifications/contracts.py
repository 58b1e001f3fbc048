"""What other rooms hand to notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something that happened, such as `invoice.finalized`.

    `subject` is the public id of what it is about: announcements of one subject reach a receiver in their order.
    `data` is the thing as the API shows it; decimals and instants are written as the API writes them.
    """

    organization_id: int
    type: str
    subject: str
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail to be sent: its kind is one of `notifications.mail_kinds`, `context` (JSON) fills its template, and it is
    sent once for each `key` of an organization."""

    organization_id: int
    kind: str
    to: Sequence[str]
    context: Mapping[str, Any]
    key: str
    at: datetime
