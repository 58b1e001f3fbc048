"""From a GenAI span to usage events: the same events as the server's OpenTelemetry door makes of it.

Identity is (trace, span), whoever does the mapping: a span that also comes through the door is a duplicate there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taximeter.events import DECISION, INFERENCE_CALL, OUTCOMES, TASK, TOOL_CALL, TURN, Event, build_event
from taximeter.integrations import otel_aliases as aliases
from taximeter.integrations.otel_spans import Span, SpanRefused, first_text

#: Half of every event's identity, the same as at the door.
SOURCE = "opentelemetry"


def events_of(span: Span, kind: str, word: str, *, is_outermost: bool, customer: str | None) -> list[Event]:
    """The events of a span of `kind`; none for what is no unit. Raises `SpanRefused`.

    `is_outermost`: whether no agent's work is around it. `customer` is for a span that names none.
    """
    if kind == aliases.STEP:
        return []
    if kind == aliases.MODEL:
        made = [_inference_call(span, word)]
    elif kind == aliases.TOOL:
        made = _tool_call(span)
    else:
        made = _agent_work(span, kind, is_outermost)
    subject = span.common("customer") or customer or span.common("end_user")
    subscription = span.common("subscription")
    return [
        build_event(
            id=id,
            source=SOURCE,
            type=type,
            time=span.ended_at,
            customer=subject,
            data=data,
            subscription=subscription,
        )
        for type, id, data in made
    ]


Made = tuple[str, str, dict[str, Any]]


def _agent_work(span: Span, kind: str, is_outermost: bool) -> list[Made]:
    unit = span.text("unit")
    if unit not in {None, "task", "turn"}:
        raise SpanRefused("unit_invalid", "taximeter.unit is task or turn")
    if unit is None:
        unit = "task" if is_outermost else "turn" if kind == aliases.AGENT else None
    if unit == "task":
        return _task(span, kind)
    if unit is None or (span.failed and not _answered(span)):
        return []  # an input that the model never answered is no turn
    return [_turn(span, kind, _id(span), {"initiator": "agent"})]


def _task(span: Span, kind: str) -> list[Made]:
    """The task and, where the outermost agent had the model's response itself, its turn."""
    outcome = span.text("outcome") or ("failed" if span.failed else "succeeded")
    if outcome not in OUTCOMES:
        raise SpanRefused("outcome_invalid", f"taximeter.outcome is one of {', '.join(OUTCOMES)}")
    data = {"goal": span.text("goal"), "outcome": outcome, "outcome_source": "agent", "error": _error(span)}
    made = [_made(span, kind, TASK, _id(span), data)]
    if kind == aliases.AGENT and _answered(span):
        made.append(_turn(span, kind, _id(span, "turn"), {}))
    return made


def _answered(span: Span) -> bool:
    """Whether an agent's span says itself that a model answered in it."""
    return bool(span.count("output_tokens") or span.text("finish_reason"))


def _turn(span: Span, kind: str, id: str, more: Mapping[str, Any]) -> Made:
    return _made(span, kind, TURN, id, {"turn_id": id, "error": _error(span), **more})


def _tool_call(span: Span) -> list[Made]:
    """The tool call, and the decision to make it: a tool that ran was chosen."""
    tool = span.text("tool") or _name_after(span, "execute_tool")
    if not tool:
        raise SpanRefused("tool_missing", "the span names no tool (gen_ai.tool.name)")
    decision_id = _id(span, "decision")
    call = {
        "tool": tool,
        "tool_call_id": span.text("tool_call_id"),
        "error": _error(span),
        "decision_id": decision_id,
    }
    decision = {"kind": "tool", "choice": tool, "decision_id": decision_id}
    return [
        _made(span, aliases.TOOL, TOOL_CALL, _id(span), call),
        _made(span, aliases.TOOL, DECISION, decision_id, decision),
    ]


def _inference_call(span: Span, word: str) -> Made:
    provider = span.text("provider")
    cost = span.cost_usd()
    data = {
        "operation": aliases.OPERATIONS.get(word, word),
        "provider": aliases.PROVIDERS.get(provider.lower(), provider.lower()) if provider else None,
        "model": span.text("model"),
        **span.token_counts(),
        "finish_reason": span.text("finish_reason") or ("error" if span.failed else None),
        "error": _error(span),
        "cost": cost,
        "cost_currency": "USD" if cost else None,
    }
    return _made(span, aliases.MODEL, INFERENCE_CALL, _id(span), data)


def _made(span: Span, kind: str, type: str, id: str, data: Mapping[str, Any]) -> Made:
    fields = {
        "agent": _agent(span, kind),
        "agent_version": span.common("agent_version"),
        "task_id": span.common("task_id") or span.trace_id,
        "turn_id": span.common("turn_id"),
        "parent_id": f"{span.trace_id}/{span.parent_id}" if span.parent_id else None,
        "conversation_id": span.common("conversation_id"),
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "environment": span.common("environment"),
        "region": span.common("region"),
        "sdk": _sdk(span),
        "started_at": span.started_at if span.started_ns else None,
        "duration_ms": span.duration_ms if span.started_ns else None,
        **data,
    }
    return type, id, fields


def _id(span: Span, part: str = "") -> str:
    """The id of a span's event; `part` where a span has a second one."""
    return "/".join((span.trace_id, span.span_id, part) if part else (span.trace_id, span.span_id))


def _agent(span: Span, kind: str) -> str | None:
    """Who worked: the agent the span names, else for an agent's own span its name, else the service."""
    named = span.common("agent")
    if named is None and kind == aliases.AGENT:
        named = first_text(span.attributes, (aliases.ENTITY_NAME,)) or _name_after(span, "invoke_agent")
    if named is None:
        service = first_text(span.resource, (aliases.SERVICE_NAME,))
        named = service if service and not service.startswith("unknown_service") else None
    return named


def _name_after(span: Span, operation: str) -> str | None:
    """What stands behind the operation in a span's name: `execute_tool search` is `search`."""
    return span.name.removeprefix(operation).strip()[:255] or None


def _error(span: Span) -> str | None:
    """The class of what went wrong; a status description may hold content and is not read."""
    return (span.text("error") or "error") if span.failed else None


def _sdk(span: Span) -> str | None:
    name, version = (first_text(span.resource, (f"telemetry.sdk.{part}",)) for part in ("name", "version"))
    language = first_text(span.resource, ("telemetry.sdk.language",))
    return "-".join(filter(None, (name, language))) + (f"/{version}" if version else "") if name else None
