"""What an event says of agents' work, read once and for all: whatever its data holds, reading it never fails."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from kernel.clock import parse_rfc3339
from kernel.money import decimal_from

TASK, TURN, DECISION = "agent.task", "agent.turn", "agent.decision"
TOOL_CALL, INFERENCE_CALL = "agent.tool_call", "inference.call"
TYPES = (TASK, TURN, DECISION, TOOL_CALL, INFERENCE_CALL)

#: A text that is longer is cut: it is shown and indexed, and names nothing by itself.
_LONGEST = 255
_LARGEST = Decimal(10) ** 18
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CallReading:
    """What one call of a model used. `cost` is None where it is to be worked out from rates."""

    provider: str
    model: str
    hardware: str
    input_tokens: Decimal
    cached_input_tokens: Decimal
    cache_write_tokens: Decimal
    output_tokens: Decimal
    compute_seconds: Decimal
    cost: Decimal | None
    cost_currency: str | None
    region: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an event of agents' activity says. `started_at` is its own, or its time where it names none."""

    type: str
    time: datetime
    started_at: datetime
    customer: str | None
    task_id: str | None
    agent: str | None
    agent_version: str | None
    goal: str | None
    outcome: str | None
    outcome_source: str | None
    attempt: int
    is_discarded: bool
    is_test: bool
    call: CallReading | None


def read_event(*, type: str, customer: str | None, time: datetime, data: Mapping[str, Any]) -> Reading:
    """The reading of an event; numbers may be Decimals. What is missing or makes no sense is None, 0 or the default."""
    return Reading(
        type=type,
        time=time,
        started_at=_started_at(data, time),
        customer=customer,
        task_id=task_id_of(data),
        agent=text_of(data, "agent"),
        agent_version=text_of(data, "agent_version"),
        goal=text_of(data, "goal"),
        outcome=text_of(data, "outcome") if type == TASK else None,
        outcome_source=text_of(data, "outcome_source") if type == TASK else None,
        attempt=_attempt(data),
        is_discarded=data.get("discarded") is True,
        is_test=data.get("environment") == "test",
        call=_call(data) if type == INFERENCE_CALL else None,
    )


def task_id_of(data: Mapping[str, Any]) -> str | None:
    """The task an event names, as text, the way meters read it."""
    value = data.get("task_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def key_of(*parts: str | None) -> UUID:
    """A hash of `parts` that names what they name; None and "" are two things."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        encoded = b"" if part is None else part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:" % (-1 if part is None else len(encoded)) + encoded)
    return UUID(bytes=hashed.digest())


def text_of(data: Mapping[str, Any], name: str) -> str | None:
    """A text in an event's data, cut where it is very long; None for anything else."""
    value = data.get(name)
    return value[:_LONGEST] if isinstance(value, str) and value else None


def number_of(data: Mapping[str, Any], name: str) -> Decimal:
    """A number from 0 to 10^18 with at most 30 decimals, from a JSON number or text; 0 for anything else."""
    value = data.get(name)
    if value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) > 60):
        return _ZERO
    try:
        number = decimal_from(value)
    except (TypeError, ValueError, ArithmeticError):
        return _ZERO
    exponent = number.as_tuple().exponent
    return number if 0 <= number <= _LARGEST and isinstance(exponent, int) and exponent >= -30 else _ZERO


def _call(data: Mapping[str, Any]) -> CallReading:
    currency = text_of(data, "cost_currency")
    # A cost that was worked out from our own rates is worked out again: they may have been put right since.
    is_reported = data.get("cost") is not None and currency is not None and data.get("cost_basis") != "rate"
    return CallReading(
        provider=text_of(data, "provider") or "",
        model=text_of(data, "model") or "",
        hardware=text_of(data, "hardware") or "",
        input_tokens=number_of(data, "input_tokens"),
        cached_input_tokens=number_of(data, "cached_input_tokens"),
        cache_write_tokens=number_of(data, "cache_write_input_tokens"),
        output_tokens=number_of(data, "output_tokens"),
        compute_seconds=number_of(data, "compute_seconds"),
        cost=number_of(data, "cost") if is_reported else None,
        cost_currency=currency if is_reported else None,
        region=text_of(data, "region") or "",
    )


def _attempt(data: Mapping[str, Any]) -> int:
    value = data.get("attempt")
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000 else 1


def _started_at(data: Mapping[str, Any], time: datetime) -> datetime:
    value = data.get("started_at")
    if isinstance(value, str) and len(value) <= 40:
        try:
            return min(parse_rfc3339(value).astimezone(UTC), time)
        except (ValueError, OverflowError):
            pass
    return time
