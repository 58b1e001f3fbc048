"""Keeps events, for tests."""

from __future__ import annotations

import threading
from typing import Any

from taximeter.events import TASK, Event


class InMemoryTransport:
    """Keeps events in `events`, for tests and for looking at what would be sent. A task's come when it ends."""

    holds_tasks = True

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def __call__(self, events: list[Event]) -> None:
        with self._lock:
            self.events.extend(events)

    def of_type(self, type: str) -> list[Event]:
        """The events of one type, in the order they were recorded."""
        return [event for event in self.events if event["type"] == type]

    def of_task(self, task_id: str) -> list[Event]:
        """The events of one task, in the order they were recorded."""
        return [event for event in self.events if event["data"].get("task_id") == task_id]

    def outcomes(self) -> dict[str, str]:
        """How each task ended, by its id."""
        return {event["data"]["task_id"]: event["data"]["outcome"] for event in self.of_type(TASK)}

    def total(self, field: str, **where: Any) -> int:
        """The sum of a whole-numbered field, such as `output_tokens`, over events whose other fields are `where`."""
        return sum(
            event["data"].get(field, 0)
            for event in self.events
            if all(event["data"].get(name) == value for name, value in where.items())
        )

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self.events.clear()
