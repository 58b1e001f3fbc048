"""From GenAI spans to usage events, by the definitions of task, turn, decision, tool call and inference call.

A span's identity is (trace, span), and its content comes from the span and its resource. The one thing looked at beside
it is its ancestors in the same request, to see whether an agent below a plain HTTP span is outermost: an agent's span
whose parent comes in another request is taken for one within another agent's work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from kernel.clock import to_rfc3339
from metering.domain import otel_aliases as aliases
from metering.domain.faults import OUTCOMES
from metering.domain.otel_aliases import Kind
from metering.domain.otel_spans import (
    UNKNOWN,
    Span,
    SpanRefused,
    common_text,
    cost_usd,
    count,
    is_agentic,
    kind_of,
    own_text,
    resource_text,
    text,
    token_counts,
)

#: Half of every event's identity. Trace and span ids are unique whatever service they come from.
SOURCE = "opentelemetry"

Event = dict[str, Any]
_Tree = Mapping[tuple[str, str], Span]


@dataclass(frozen=True, slots=True)
class SpanRefusal:
    """Why the GenAI span at `index` of a request became no event."""

    index: int
    span_id: str
    code: str
    detail: str


@dataclass(slots=True)
class Mapped:
    """What became of a request's spans: every one has events, is refused, or is counted in `ignored`.

    `events` are (index of the span, CloudEvent). `warnings` counts spans that were taken with something
    missing, by code.
    """

    events: list[tuple[int, Event]] = field(default_factory=list)
    refused: list[SpanRefusal] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)


def map_spans(spans: Sequence[Span], *, customer: str | None = None, metered: Set[str] = frozenset()) -> Mapped:
    """The usage events of `spans`. `customer` is for spans which name none themselves.

    Model calls whose response ids are in `metered` have been counted by who answered them.
    """
    mapped = Mapped()
    tree = {(span.trace_id, span.span_id): span for span in spans}
    for index, span in enumerate(spans):
        try:
            found = kind_of(span)
            if found is None:
                mapped.ignored["not_genai"] += 1
                continue
            if found[1] == UNKNOWN:
                mapped.ignored["operation_unknown"] += 1
                continue
            if found[0] is Kind.MODEL and span.attributes.get(aliases.RESPONSE_ID) in metered:
                mapped.ignored["metered"] += 1
                continue
            events = _events(span, *found, tree)
            if not events:
                mapped.ignored["unanswered" if found[0] is Kind.AGENT else "no_unit"] += 1
                continue
            named = _named(span, customer)
        except SpanRefused as error:
            mapped.refused.append(SpanRefusal(index, span.span_id, error.code, str(error)))
            continue
        if "subject" not in named:
            mapped.warnings["customer_missing"] += 1
        if found[0] is Kind.MODEL and events[0]["data"].get("input_tokens") != count(span, "input_tokens"):
            mapped.warnings["tokens_exclusive"] += 1
        if found[0] is Kind.MODEL and not span.failed and "input_tokens" not in events[0]["data"]:
            mapped.warnings["tokens_missing"] += 1
        mapped.events += [(index, event | named) for event in events]
    return mapped


def _named(span: Span, customer: str | None) -> Event:
    """The customer and the subscription that a span's events are for, of those that it, its resource or the request
    name."""
    named = {
        "subject": common_text(span, "customer") or customer or common_text(span, "end_user"),
        "subscription": common_text(span, "subscription"),
    }
    return {name: value for name, value in named.items() if value is not None}


def _events(span: Span, kind: Kind, word: str, tree: _Tree) -> list[Event]:
    if kind is Kind.STEP:
        return []
    if kind in {Kind.AGENT, Kind.WORKFLOW}:
        unit = _unit(span, kind, tree)
        if unit is None:
            return []
        _check(span)
        if unit == "task":
            return _task(span, kind)
        # An input that the model never answered is no turn.
        return [_turn(span, kind, _id(span), {"initiator": "agent"})] if not span.failed or _answered(span) else []
    _check(span)
    return [_inference_call(span, word)] if kind is Kind.MODEL else _tool_call(span)


def _check(span: Span) -> None:
    if not span.trace_id or not span.span_id or span.parent_id == "":
        raise SpanRefused("id_invalid", "trace, span and parent ids have 16, 8 and 8 bytes, not all zero")
    if not span.ended_ns:
        raise SpanRefused("time_missing", "the span has no end")


def _unit(span: Span, kind: Kind, tree: _Tree) -> str | None:
    """`task` or `turn`, as the span says or by its place; None for a workflow within something else."""
    said = text(span, "unit")
    if said is not None:
        if said not in {"task", "turn"}:
            raise SpanRefused("unit_invalid", "taximeter.unit is task or turn")
        return said
    if _is_outermost(span, tree):
        return "task"
    return "turn" if kind is Kind.AGENT else None


def _is_outermost(span: Span, tree: _Tree) -> bool:
    """Whether no agent's work is around `span`; only where this request shows all that is above it."""
    above = span
    for _ in range(len(tree) + 1):
        if above.parent_id is None:
            return True
        parent = tree.get((above.trace_id, above.parent_id))
        if parent is None or is_agentic(parent):
            return False
        above = parent
    return False  # ids that go round in a circle


def _task(span: Span, kind: Kind) -> list[Event]:
    """The task and, where the outermost agent had the model's response itself, its turn.

    One input through to one response is a turn.
    """
    outcome = text(span, "outcome") or ("failed" if span.failed else "succeeded")
    if outcome not in OUTCOMES:
        raise SpanRefused("outcome_invalid", f"taximeter.outcome is one of {', '.join(OUTCOMES)}")
    data = {"goal": text(span, "goal"), "outcome": outcome, "outcome_source": "agent", "error": _error(span)}
    events = [_event(span, kind, "agent.task", _id(span), data)]
    if kind is Kind.AGENT and _answered(span):
        events.append(_turn(span, kind, _id(span, "turn"), {}))
    return events


def _answered(span: Span) -> bool:
    """Whether an agent's span says itself that a model answered in it: by output tokens or a finish reason."""
    return bool(count(span, "output_tokens") or text(span, "finish_reason"))


def _turn(span: Span, kind: Kind, event_id: str, more: Mapping[str, Any]) -> Event:
    return _event(span, kind, "agent.turn", event_id, {"turn_id": event_id, "error": _error(span), **more})


def _tool_call(span: Span) -> list[Event]:
    """The tool call, and the decision to make it: a tool that ran was chosen."""
    tool = text(span, "tool") or _name_after(span, "execute_tool")
    if not tool:
        raise SpanRefused("tool_missing", "the span names no tool (gen_ai.tool.name)")
    decision_id = _id(span, "decision")
    call = {
        "tool": tool,
        "tool_call_id": text(span, "tool_call_id"),
        "error": _error(span),
        "decision_id": decision_id,
    }
    decision = {"kind": "tool", "choice": tool, "decision_id": decision_id}
    return [
        _event(span, Kind.TOOL, "agent.tool_call", _id(span), call),
        _event(span, Kind.TOOL, "agent.decision", decision_id, decision),
    ]


def _inference_call(span: Span, word: str) -> Event:
    provider = text(span, "provider")
    cost = cost_usd(span)
    data = {
        "operation": aliases.OPERATIONS.get(word, word),
        "provider": aliases.PROVIDERS.get(provider.lower(), provider.lower()) if provider else None,
        "model": text(span, "model"),
        **token_counts(span),
        "finish_reason": text(span, "finish_reason") or ("error" if span.failed else None),
        "error": _error(span),
        "cost": cost,
        "cost_currency": "USD" if cost else None,
    }
    return _event(span, Kind.MODEL, "inference.call", _id(span), data)


def _event(span: Span, kind: Kind, event_type: str, event_id: str, data: Mapping[str, Any]) -> Event:
    fields = {
        "agent": _agent(span, kind),
        "agent_version": common_text(span, "agent_version"),
        "task_id": common_text(span, "task_id") or span.trace_id,
        "turn_id": common_text(span, "turn_id"),
        "parent_id": f"{span.trace_id}/{span.parent_id}" if span.parent_id else None,
        "conversation_id": common_text(span, "conversation_id"),
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "environment": common_text(span, "environment"),
        "region": common_text(span, "region"),
        "sdk": _sdk(span),
        "started_at": to_rfc3339(span.started_at) if span.started_ns else None,
        "duration_ms": span.duration_ms if span.started_ns else None,
        **data,
    }
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "time": to_rfc3339(span.ended_at),
        "data": {name: value for name, value in fields.items() if value is not None},
    }


def _id(span: Span, part: str = "") -> str:
    """The id of a span's event; `part` where a span has a second one."""
    return "/".join((span.trace_id, span.span_id, part) if part else (span.trace_id, span.span_id))


def _agent(span: Span, kind: Kind) -> str | None:
    """Who worked: the agent the span names, else for an agent's own span its name, else the service."""
    named = common_text(span, "agent")
    if named is None and kind is Kind.AGENT:
        named = own_text(span, aliases.ENTITY_NAME) or _name_after(span, "invoke_agent")
    if named is None:
        service = resource_text(span, aliases.SERVICE_NAME)
        named = service if service and not service.startswith("unknown_service") else None
    return named


def _name_after(span: Span, operation: str) -> str | None:
    """What stands behind the operation in a span's name: `execute_tool search` is `search`."""
    name = span.name.removeprefix(operation).strip()
    return name[:255] or None


def _error(span: Span) -> str | None:
    """The class of what went wrong; a status description may hold content and is not read."""
    return (text(span, "error") or "error") if span.failed else None


def _sdk(span: Span) -> str | None:
    name, version = resource_text(span, "telemetry.sdk.name"), resource_text(span, "telemetry.sdk.version")
    language = resource_text(span, "telemetry.sdk.language")
    return "-".join(filter(None, (name, language))) + (f"/{version}" if version else "") if name else None
