"""Taximeter's own OpenAI-compatible door, which meters inference calls itself: how it is known, and what it is told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from taximeter.integrations.model_calls import ModelCall, asked
from taximeter.keys import SIGNS
from taximeter.meter import Meter

logger = logging.getLogger("taximeter")

#: What the door answers with, so that nobody counts its calls a second time.
DOOR_HEADER = "X-Taximeter-Call"
_LONGEST = 200


def is_door(client: Any, meter: Meter) -> bool:
    """Whether the client speaks to the server that the meter sends to."""
    address = urlsplit(str(getattr(meter.transport, "address", "")))
    theirs = urlsplit(str(client.base_url))
    return bool(address.hostname) and (address.scheme, address.netloc) == (theirs.scheme, theirs.netloc)


def with_door_headers(given: Any, call: ModelCall) -> dict[str, Any]:
    """`given` headers, and whom and what the call is for; what the caller says himself comes first."""
    task = call.task
    if task is not None:
        agent, version = task.fields.get("agent"), task.fields.get("agent_version")
        said: dict[str, str | None] = {
            "X-Customer": quote(task.customer, safe=SIGNS),
            "X-Agent": f"{agent}@{version}" if version else agent,
            "X-Task-Id": task.task_id,
            "X-Turn-Id": call.turn.turn_id if call.turn else None,
            "X-Subscription": task.subscription,
        }
    else:
        said = {"X-Customer": quote(asked(call.customer) or "", safe=SIGNS), "X-Agent": asked(call.agent)}
    headers = dict(given) if isinstance(given, Mapping) else {}
    own = {name.lower() for name in headers}
    return headers | {name: value for name, value in said.items() if name.lower() not in own and _can_be_sent(value)}


def _can_be_sent(value: str | None) -> bool:
    """Whether a header can hold it and the door takes it: a call is not refused over whom it is for."""
    if value and not (value.isascii() and value.isprintable() and len(value) <= _LONGEST):
        logger.warning("the door is not told of %r: a header holds %d printable ASCII characters", value, _LONGEST)
        return False
    return bool(value)
