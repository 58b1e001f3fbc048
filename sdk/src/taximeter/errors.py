"""What can go wrong while recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class TaximeterError(Exception):
    """Base of all errors of this package."""


class OutcomeError(TaximeterError):
    """A task was given a second outcome, or a turn after its end."""


class DeliveryError(TaximeterError):
    """Events could not be delivered. `events` holds what was not, unchanged, so that it can be sent again."""

    def __init__(self, reason: str, events: Sequence[dict[str, Any]] = (), *, status: int | None = None) -> None:
        super().__init__(reason)
        self.events = list(events)
        self.status = status
