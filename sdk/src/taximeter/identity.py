"""Ids that name the logical thing an event records, so that recording it again is no second event."""

from __future__ import annotations

import hashlib
import uuid

#: Longer ids are replaced by their hash: servers bound the length of an id.
MAX_LENGTH = 200


def event_id(*parts: str) -> str:
    """The id of what `parts` name, from the outside in: task, turn, place in the turn.

    Readable while it is short; the SHA-256 of the same text where it is not.
    """
    text = "/".join(parts)
    return text if len(text) <= MAX_LENGTH else f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"


def new_task_id() -> str:
    """A random task id, for callers that have no name of their own for the work."""
    return f"task-{uuid.uuid4().hex}"


def new_event_id() -> str:
    """A random event id, for single events that belong to nothing."""
    return uuid.uuid4().hex
