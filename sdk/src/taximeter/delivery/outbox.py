"""What the sender takes events from, whether they are on a disk or in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Batch:
    """Encoded events in their order. `origin` and `positions` are the outbox's own."""

    payloads: Sequence[bytes]
    origin: object = None
    positions: Sequence[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.payloads)

    def part(self, start: int, end: int) -> Batch:
        """Some of it, in order."""
        return Batch(self.payloads[start:end], self.origin, self.positions[start:end])


@dataclass(frozen=True)
class Refusal:
    """Why an event can never be stored."""

    code: str
    detail: str
    status: int | None = None


class Outbox(Protocol):
    """Events that wait to be sent. All but `mark` and `is_done` are called by the sender's thread alone."""

    def next_batch(self) -> Batch | None:
        """Events that come next, or None. The same again until `advance` is called."""

    def advance(self, batch: Batch) -> None:
        """All of `batch` is dealt with, for good."""

    def set_aside(self, payload: bytes, refusal: Refusal) -> None:
        """Keeps an event that can never be stored, with the reason, out of the way of the others."""

    def tend(self) -> None:
        """Called about once a second, between batches: time to look after what others left."""

    def mark(self) -> object:
        """Where the events recorded so far end."""

    def is_done(self, mark: object) -> bool:
        """Whether all events before `mark` are dealt with."""
