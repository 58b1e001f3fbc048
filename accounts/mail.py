"""Mail that this room has to send. It knows no mail room: the one there is says at start how mail is queued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

_queue: Callable[..., None] | None = None


def register_mail_queue(queue: Callable[..., None]) -> None:
    """From now on mail is given to `queue`, in the caller's transaction."""
    global _queue  # noqa: PLW0603 - one of the process, given once while it starts
    _queue = queue


def queue_mail(
    *, organization_id: int, kind: str, to: Sequence[str], context: Mapping[str, Any], key: str, at: datetime
) -> None:
    """Send a mail of `kind` once the transaction has ended; the same `key` once."""
    if _queue is None:
        raise RuntimeError("no mail queue is registered")
    _queue(organization_id=organization_id, kind=kind, to=to, context=context, key=key, at=at)
