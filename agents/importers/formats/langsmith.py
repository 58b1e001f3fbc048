"""Runs as LangSmith exports them, one a record.

| Run | Becomes |
|---|---|
| without a parent, of whatever type but `llm` | a task: `failed` where it has an error, else `succeeded` |
| `llm` | an inference call and a turn |
| `tool` | a decision and a tool call |
| any other below another | nothing |

A run's trace is its task. `extra.metadata` may name the `customer`, the `agent` and the `task_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taximeter import Event

from agents.importers.formats import reading
from agents.importers.formats.reading import Context, key, lookup, text, tokens
from agents.importers.report import LineBroken

SOURCE = "import/langsmith"


def events_of(record: Mapping[str, Any], context: Context) -> list[Event]:
    """The run's events; none for one that is no unit of agents' work. Raises `LineBroken`."""
    run_id = reading.identifier(record, "id", "run_id")
    kind = text(record, "run_type")
    if kind is None:
        raise LineBroken("no run_type", code="type_missing")
    is_root = lookup(record, "parent_run_id") is None
    if kind not in {"llm", "tool"} and not is_root:
        return []
    start, end = reading.instant(record, "start_time"), reading.instant(record, "end_time")
    if end is None:
        raise LineBroken("the run has no end_time: it has not ended", code="time_missing")
    common = _common(record, context, run_id) | {
        "started_at": start,
        "duration_ms": reading.milliseconds(start, end),
        "error": "error" if lookup(record, "error") else None,
    }
    customer = key(record, "extra.metadata.customer", "extra.metadata.customer_id")
    customer = customer or context.customer or key(record, "extra.metadata.user_id")
    if kind == "llm":
        return reading.answered_turn(
            SOURCE, run_id, time=end, customer=customer, common=common, call=_call(record), tools=[]
        )
    if kind == "tool":
        return _tool(run_id, text(record, "name") or "tool", end, customer, common)
    outcome = "failed" if lookup(record, "error") or text(record, "status") == "error" else "succeeded"
    data = {**common, "parent_id": None, "goal": text(record, "name"), "outcome": outcome, "outcome_source": "agent"}
    return [reading.event(SOURCE, run_id, "agent.task", time=end, customer=customer, data=data)]


def _common(record: Mapping[str, Any], context: Context, run_id: str) -> dict[str, Any]:
    trace = text(record, "trace_id") or run_id
    return {
        **reading.agent_of(text(record, "extra.metadata.agent") or context.agent),
        "task_id": text(record, "extra.metadata.task_id") or trace,
        "trace_id": trace,
        "span_id": run_id,
        "parent_id": text(record, "parent_run_id"),
        "conversation_id": text(
            record, "extra.metadata.thread_id", "extra.metadata.session_id", "extra.metadata.conversation_id"
        ),
    }


def _call(record: Mapping[str, Any]) -> dict[str, Any]:
    cost = reading.amount(record, "total_cost")
    used = "outputs.usage_metadata"
    return {
        "provider": text(record, "extra.metadata.ls_provider"),
        "model": text(record, "extra.metadata.ls_model_name", "extra.invocation_params.model"),
        "input_tokens": tokens(record, "prompt_tokens", f"{used}.input_tokens"),
        "cached_input_tokens": tokens(
            record, "prompt_token_details.cache_read", f"{used}.input_token_details.cache_read"
        ),
        "cache_write_input_tokens": tokens(
            record, "prompt_token_details.cache_creation", f"{used}.input_token_details.cache_creation"
        ),
        "output_tokens": tokens(record, "completion_tokens", f"{used}.output_tokens"),
        "reasoning_tokens": tokens(
            record, "completion_token_details.reasoning", f"{used}.output_token_details.reasoning"
        ),
        "cost": cost,
        "cost_currency": None if cost is None else "USD",
    }


def _tool(run_id: str, name: str, end: datetime, customer: str | None, common: Mapping[str, Any]) -> list[Event]:
    decision_id = f"{run_id}/decision"
    shared = {**common, "decision_id": decision_id}
    decision = {**shared, "error": None, "kind": "tool", "choice": name}
    return [
        reading.event(SOURCE, run_id, "agent.tool_call", time=end, customer=customer, data={**shared, "tool": name}),
        reading.event(SOURCE, decision_id, "agent.decision", time=end, customer=customer, data=decision),
    ]
