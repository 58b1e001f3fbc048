"""A task in headers, so that another process can take part: W3C Trace Context and Baggage.

`traceparent` (https://www.w3.org/TR/trace-context/) names the trace, as tracing tools expect it; `baggage`
(https://www.w3.org/TR/baggage/) says which task, for whom and by which agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from taximeter.errors import PropagationError
from taximeter.events import rfc3339
from taximeter.identity import span_id_of, trace_id_of

if TYPE_CHECKING:
    from taximeter.task import Task

_PREFIX = "taximeter."
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


@dataclass(frozen=True)
class Carried:
    """What headers say of a task. `part` names the share of the work that was given away, once."""

    task_id: str
    part: str
    customer: str
    agent: str
    goal: str
    attempt: int
    started_at: datetime
    ends: bool
    turns: int
    decisions: int
    trace_id: str | None
    parent_id: str
    subscription: str | None = None


def carrier_of(
    task: Task, carrier: MutableMapping[str, str] | None, *, part: str, hands_over: bool
) -> MutableMapping[str, str]:
    """`carrier`, or a new one, with the headers of `task`. Baggage of others that is in it stays."""
    headers: MutableMapping[str, str] = {} if carrier is None else carrier
    trace_id = str(task.fields.get("trace_id") or trace_id_of(task.meter.source, task.task_id))
    agent, version = task.fields["agent"], task.fields.get("agent_version")
    said = {
        "task": task.task_id,
        "part": part,
        "customer": task.customer,
        "agent": f"{agent}@{version}" if version else agent,
        "goal": task.goal,
        "attempt": str(task.attempt),
        "started": rfc3339(task.started_at),
    }
    if task.subscription:
        said["subscription"] = task.subscription
    if hands_over:
        said |= {"ends": "1", "turns": str(task.turns), "decisions": str(task.decisions)}
    ours = [f"{_PREFIX}{name}={quote(value, safe='')}" for name, value in said.items()]
    theirs = [one for one in _members(headers.get("baggage", "")) if not one.startswith(_PREFIX)]
    headers["traceparent"] = f"00-{trace_id}-{span_id_of(part)}-01"
    headers["baggage"] = ",".join([*theirs, *ours])
    return headers


def carried_in(carrier: Mapping[str, str]) -> Carried:
    """What `carrier_of` put in, whatever the case of the headers' names; raises `PropagationError` for nothing."""
    headers = {name.lower(): value for name, value in carrier.items() if isinstance(value, str)}
    said: dict[str, str] = {}
    for member in _members(headers.get("baggage", "")):
        name, found, value = member.partition(";")[0].partition("=")
        if found and name.strip().startswith(_PREFIX):
            said[name.strip()[len(_PREFIX) :]] = unquote(value.strip())
    try:
        return Carried(
            task_id=said["task"],
            part=said["part"],
            customer=said["customer"],
            agent=said["agent"],
            goal=said.get("goal", ""),
            attempt=int(said.get("attempt", "1")),
            started_at=datetime.fromisoformat(said["started"].replace("Z", "+00:00")),
            ends=said.get("ends") == "1",
            turns=int(said.get("turns", "0")),
            decisions=int(said.get("decisions", "0")),
            trace_id=trace_of(headers.get("traceparent")),
            parent_id=said["task"],
            subscription=said.get("subscription"),
        )
    except (KeyError, ValueError) as error:
        raise PropagationError(f"no task in the headers {sorted(headers)}: {error}") from None


def trace_of(traceparent: str | None) -> str | None:
    """The trace id in a `traceparent` header; None where there is none that is valid."""
    found = _TRACEPARENT.fullmatch((traceparent or "").strip())
    if not found or found[1] == "ff" or not int(found[2], 16) or not int(found[3], 16):
        return None
    return found[2]


def _members(baggage: str) -> list[str]:
    return [member.strip() for member in baggage.split(",") if member.strip()]
