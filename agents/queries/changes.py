"""From rows of the log to what they say of agents' work."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from agents.domain.readings import read_event
from agents.domain.summaries import Change
from metering.facade import EventView, LogChange

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def change_of(found: LogChange) -> Change:
    """A change of the log; its data is what the door let in, so it is JSON."""
    reading = read_event(
        type=found.type, customer=found.customer, time=found.time, data=_mapping(_decoder.decode(found.data))
    )
    return Change(found.sign, found.xid, found.identity, reading)


def changes_of(event: EventView, xid: int) -> list[Change]:
    """An event of one task as the changes it stands for: that it came, and that it was taken back."""
    reading = read_event(type=event.type, customer=event.customer, time=event.time, data=event.data)
    came = Change(1, xid, event.identity, reading)
    return [came, Change(-1, xid, event.identity, reading)] if event.voided else [came]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
