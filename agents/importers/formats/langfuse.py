"""Traces and observations as Langfuse exports them: each in a record of its own, or observations within their trace.

| In the export | Becomes |
|---|---|
| a trace with an outcome (`metadata.outcome`, or a score `outcome` or `success`, 1 or 0) | a task |
| a trace without one | nothing: its work makes a task that has not ended |
| a `GENERATION` | an inference call and a turn |
| a `TOOL` | a decision and a tool call |
| any other observation | nothing |

Names are read in both ways of writing them: `traceId` of the API, `trace_id` of exports to storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from taximeter import Event

from agents.importers.formats import reading
from agents.importers.formats.reading import Context, key, lookup, text, tokens
from agents.importers.report import LineBroken
from metering.facade import OUTCOMES

SOURCE = "import/langfuse"


def events_of(record: Mapping[str, Any], context: Context) -> list[Event]:
    """The events of a trace with what is in it, or of an observation. Raises `LineBroken`."""
    if lookup(record, "type") is not None and lookup(record, "traceId", "trace_id") is not None:
        return _observation(record, context, {})
    inside = record.get("observations")
    observations = [one for one in inside if isinstance(one, Mapping)] if isinstance(inside, list) else []
    whole = {"traceId": reading.identifier(record, "id")}
    events = [event for one in observations for event in _observation({**whole, **one}, context, record)]
    return events + _trace(record, context)


def _trace(record: Mapping[str, Any], context: Context) -> list[Event]:
    trace_id = reading.identifier(record, "id")
    began = reading.instant(record, "timestamp", "createdAt", "created_at")
    if began is None:
        raise LineBroken("the trace has no timestamp", code="time_missing")
    outcome = _outcome(record)
    if outcome is None:
        return []
    latency = reading.amount(record, "latency")
    ended = began + timedelta(milliseconds=int((latency or Decimal(0)) * 1000))
    data = {
        **_common(record, context, trace_id, record),
        "goal": text(record, "name"),
        "outcome": outcome,
        "outcome_source": "check",
        "started_at": began,
        "duration_ms": reading.milliseconds(began, ended),
    }
    customer = _customer(record, record, context)
    return [reading.event(SOURCE, trace_id, "agent.task", time=ended, customer=customer, data=data)]


def _outcome(record: Mapping[str, Any]) -> str | None:
    said = text(record, "metadata.outcome")
    scores = record.get("scores")
    for score in scores if isinstance(scores, list) else []:
        name, value = lookup(score, "name"), lookup(score, "stringValue", "string_value", "value")
        if name == "success" and value in (0, 1):
            said = said or ("succeeded" if value else "failed")
        elif name == "outcome" and isinstance(value, str):
            said = said or value
    if said is not None and said not in OUTCOMES:
        raise LineBroken(f"{said[:60]!r} is no outcome: {', '.join(OUTCOMES)}", code="outcome_invalid")
    return said


def _observation(record: Mapping[str, Any], context: Context, trace: Mapping[str, Any]) -> list[Event]:
    kind = (text(record, "type") or "").upper()
    if kind not in {"GENERATION", "TOOL"}:
        return []
    observation_id = reading.identifier(record, "id")
    trace_id = reading.identifier(record, "traceId", "trace_id")
    start = reading.instant(record, "startTime", "start_time")
    end = reading.instant(record, "endTime", "end_time") or start
    if end is None:
        raise LineBroken("the observation has no startTime and no endTime", code="time_missing")
    common = _common(record, context, trace_id, trace) | {
        "span_id": observation_id,
        "parent_id": text(record, "parentObservationId", "parent_observation_id"),
        "started_at": start,
        "duration_ms": reading.milliseconds(start, end),
        "error": "error" if text(record, "level") == "ERROR" else None,
    }
    customer = _customer(record, trace, context)
    if kind == "TOOL":
        return _tool(observation_id, text(record, "name") or "tool", end, customer, common)
    return reading.answered_turn(
        SOURCE, observation_id, time=end, customer=customer, common=common, call=_call(record), tools=[]
    )


def _common(record: Mapping[str, Any], context: Context, trace_id: str, trace: Mapping[str, Any]) -> dict[str, Any]:
    agent = text(record, "metadata.agent") or text(trace, "metadata.agent") or context.agent
    return {
        **reading.agent_of(agent),
        "task_id": trace_id,
        "trace_id": trace_id,
        "conversation_id": text(trace, "sessionId", "session_id"),
        "environment": text(record, "environment"),
    }


def _customer(record: Mapping[str, Any], trace: Mapping[str, Any], context: Context) -> str | None:
    named = key(record, "metadata.customer") or key(trace, "metadata.customer")
    return named or context.customer or key(trace, "userId", "user_id")


def _call(record: Mapping[str, Any]) -> dict[str, Any]:
    cost = reading.amount(
        record, "costDetails.total", "cost_details.total", "calculatedTotalCost", "totalCost", "total_cost"
    )
    details = ("usageDetails", "usage_details", "usage")
    return {
        "provider": text(record, "metadata.provider"),
        "model": text(record, "model", "providedModelName", "provided_model_name"),
        "input_tokens": tokens(record, *(f"{name}.input" for name in details), "promptTokens", "inputUsage"),
        "cached_input_tokens": tokens(
            record,
            *(
                f"{name}.{field}"
                for name in details[:2]
                for field in ("input_cached_tokens", "cache_read_input_tokens")
            ),
        ),
        "output_tokens": tokens(record, *(f"{name}.output" for name in details), "completionTokens", "outputUsage"),
        "cost": cost,
        "cost_currency": None if cost is None else "USD",
    }


def _tool(
    observation_id: str, name: str, end: datetime, customer: str | None, common: Mapping[str, Any]
) -> list[Event]:
    decision_id = f"{observation_id}/decision"
    shared = {**common, "decision_id": decision_id}
    decision = {**shared, "error": None, "kind": "tool", "choice": name}
    call = {**shared, "tool": name}
    return [
        reading.event(SOURCE, observation_id, "agent.tool_call", time=end, customer=customer, data=call),
        reading.event(SOURCE, decision_id, "agent.decision", time=end, customer=customer, data=decision),
    ]
