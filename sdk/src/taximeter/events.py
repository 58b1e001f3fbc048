"""Usage events as CloudEvents 1.0 dictionaries, and how values are written in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

#: A CloudEvents 1.0 envelope: specversion, id, source, type, time, data and, where somebody is to be billed, subject.
Event = dict[str, Any]

#: What an exact number may be given as.
Exact = str | int | Decimal

_MAX_BITS = 800

TASK, TURN, DECISION = "agent.task", "agent.turn", "agent.decision"
TOOL_CALL, INFERENCE_CALL = "agent.tool_call", "inference.call"

#: How a task ends. The server refuses every other word.
OUTCOMES = ("succeeded", "failed", "escalated", "cancelled", "timed_out", "blocked")


def build_event(
    *,
    id: str,
    source: str,
    type: str,
    time: datetime,
    customer: str | None,
    data: Mapping[str, Any],
    subscription: str | None = None,
) -> Event:
    """One event. Fields of `data` that are None are left out; decimals and times become text. `subscription` is the id
    or key of the customer's subscription that alone is to charge it.

    Raises `ValueError` for a task's end with an outcome that is not one of `OUTCOMES`, and for what `plain` refuses.
    """
    if type == TASK and data.get("outcome") is not None:
        require_outcome(data["outcome"])
    event: Event = {"specversion": "1.0", "id": id, "source": source, "type": type, "time": rfc3339(time)}
    if customer:
        event["subject"] = customer
    if subscription:
        event["subscription"] = subscription
    event["data"] = {key: plain(value) for key, value in data.items() if value is not None}
    return event


def require_outcome(outcome: object) -> None:
    """Raise `ValueError` for what is not one of `OUTCOMES`."""
    if outcome not in OUTCOMES:
        raise ValueError(f"{outcome!r:.80} is not an outcome. Use one of {', '.join(OUTCOMES)}.")


def rfc3339(instant: datetime) -> str:
    """`instant` in UTC, microseconds only where there are any; a time without a zone raises `ValueError`."""
    if instant.tzinfo is None:
        raise ValueError("a time without a zone says nothing about when it was")
    return instant.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """`value` as JSON can carry it without loss; `TypeError` or `ValueError` for what it cannot."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise ValueError("a whole number of more than 240 digits is no number an event can carry")
        return value
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is no number an event can carry")
        return value
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be part of an event")


def exact(value: Exact) -> str:
    """A decimal number as plain text (`0.74`, never `7.4E-1`); a float raises `TypeError`."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise TypeError(f"{value!r} is no exact number; give it as a string or a Decimal")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return format(number, "f")


def measured(value: Exact | float | None) -> str | None:
    """A measurement as decimal text. A float, as timers give them, is rounded to a millionth; money never is one."""
    if value is None:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is no measurement")
        return exact(Decimal(repr(round(value, 6))))
    return exact(value)


def milliseconds(span: timedelta) -> int:
    """`span` in whole milliseconds, and 0 where a clock went backwards."""
    return max(0, span // timedelta(milliseconds=1))
