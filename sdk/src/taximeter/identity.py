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
    return shortened("/".join(parts))


def shortened(text: str) -> str:
    """`text`, or its SHA-256 where it is too long for an id."""
    return text if len(text) <= MAX_LENGTH else f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"


def new_task_id() -> str:
    """A random task id, for callers that have no name of their own for the work."""
    return f"task-{uuid.uuid4().hex}"


def new_event_id() -> str:
    """A random event id, for single events that belong to nothing."""
    return uuid.uuid4().hex


def trace_id_of(source: str, task_id: str) -> str:
    """The W3C trace id (32 hex digits) of a task that nobody gave one: the same task, the same trace."""
    return hashlib.sha256(f"taximeter-trace:{source}/{task_id}".encode()).hexdigest()[:32]


def span_id_of(*parts: str) -> str:
    """A W3C span id (16 hex digits) made from what it stands for."""
    return hashlib.sha256(f"taximeter-span:{'/'.join(parts)}".encode()).hexdigest()[:16]
