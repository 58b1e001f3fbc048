"""Meters, usage and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Turns usage events into a quantity; `projection` is filled by `meters.get`."""

    id: str
    key: str
    name: str
    unit: str
    version: int
    event_type: str
    aggregation: str
    value: str | None
    filters: tuple[dict[str, Any], ...]
    dimensions: dict[str, str]
    created_at: datetime
    projection: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """A quantity in `start` ≤ t < `end`; None where an average or a maximum is of nothing."""

    start: datetime
    end: datetime
    quantity: Decimal | None
    customer: str | None = None
    group: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A meter's quantities by window, customer and group."""

    meter: str
    start: datetime = field(metadata={"json": "from"})
    end: datetime = field(metadata={"json": "to"})
    window: str
    timezone: str
    rows: tuple[UsageRow, ...] = field(metadata={"json": "data"})

    @property
    def quantity(self) -> Decimal:
        """The one quantity of a question without windows and groups, 0 where nothing was used; else `ValueError`."""
        if self.window != "total" or len(self.rows) > 1:
            raise ValueError("this was asked by window or group, and has a quantity for each: read `rows`")
        return (self.rows[0].quantity if self.rows else None) or Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """A recorded event. `customer` is the key it names, or None; `voided` says that it was taken back; `sent_by` is
    the id of the API key that sent it, `user:` and a member's number, `system`, or None for events of old;
    `subscription` is the id or key of the subscription that it names."""

    id: str
    source: str
    type: str
    customer: str | None = field(metadata={"json": "subject"})
    time: datetime
    received_at: datetime
    data: Any
    voided: bool
    sent_by: str | None = None
    subscription: str | None = None
