"""What can go wrong while recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class TaximeterError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(TaximeterError):
    """The environment does not say where events are to go."""


class OutcomeError(TaximeterError):
    """A task was given a second or an unknown outcome, or something was to be recorded in it after its end."""


class PropagationError(TaximeterError):
    """Headers that were to continue a task say nothing of one."""


class DeliveryError(TaximeterError):
    """Events could not be delivered. `events` holds what was not, unchanged, so that it can be sent again."""

    def __init__(self, reason: str, events: Sequence[dict[str, Any]] = (), *, status: int | None = None) -> None:
        super().__init__(reason)
        self.events = list(events)
        self.status = status


class SpoolError(TaximeterError):
    """The spool's directory cannot be used: it cannot be made or written, or holds another format."""


class SpoolFull(TaximeterError):
    """No room for an event, in the spool, in memory or on the disk, and the policy is to raise."""
