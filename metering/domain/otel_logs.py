"""From the log records of coding agents to usage events: Claude Code, Codex CLI and Gemini CLI report by logs.

Their records are calls of a model and tools that ran. They do not say which of them belong to one task, nor which
answer was accepted, so no record becomes a task or a turn. Names of events and attributes are those of the tools'
published documentation, of November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from kernel.clock import to_rfc3339
from metering.domain import otel_aliases as aliases
from metering.domain.otel import Event, Mapped, SpanRefusal
from metering.domain.otel_spans import Span, SpanRefused, Value, amount, common_text, whole_count

#: Half of every event's identity; the other is made of what a record says, since records have no ids.
SOURCE = "opentelemetry/logs"

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """How one coding agent writes its records. `input_is_whole` says that its input tokens include the cached ones."""

    agent: str
    provider: str
    call: str
    call_failed: str
    tool_ran: str
    tool_name: str
    tokens: Mapping[str, str]
    input_is_whole: bool
    #: An attribute and its value that a call's record has besides, where one event name stands for several things.
    only: tuple[str, str] | None = None


TOOLS = (
    Tool(
        agent="claude-code",
        provider="anthropic",
        call="claude_code.api_request",
        call_failed="claude_code.api_error",
        tool_ran="claude_code.tool_result",
        tool_name="tool_name",
        tokens={
            "input_tokens": "input_tokens",
            "output_tokens": "output_tokens",
            "cached_input_tokens": "cache_read_tokens",
            "cache_write_input_tokens": "cache_creation_tokens",
        },
        input_is_whole=False,
    ),
    Tool(
        agent="codex",
        provider="openai",
        call="codex.sse_event",
        call_failed="codex.api_error",
        tool_ran="codex.tool_result",
        tool_name="tool_name",
        tokens={
            "input_tokens": "input_token_count",
            "output_tokens": "output_token_count",
            "cached_input_tokens": "cached_token_count",
            "reasoning_tokens": "reasoning_token_count",
        },
        input_is_whole=True,
        only=("event.kind", "response.completed"),
    ),
    Tool(
        agent="gemini-cli",
        provider="gcp.gemini",
        call="gemini_cli.api_response",
        call_failed="gemini_cli.api_error",
        tool_ran="gemini_cli.tool_call",
        tool_name="function_name",
        tokens={
            "input_tokens": "input_token_count",
            "output_tokens": "output_token_count",
            "cached_input_tokens": "cached_content_token_count",
            "reasoning_tokens": "thoughts_token_count",
        },
        input_is_whole=True,
    ),
)
_BY_PREFIX = {tool.call.partition(".")[0]: tool for tool in TOOLS}

_NAME = "event.name"
_SESSIONS = ("session.id", "conversation.id")
#: What tells records of one session apart that say the same at the same instant.
_TELLS_APART = ("event.sequence", "event.timestamp", "prompt.id", "prompt_id", "request_id", "call_id", "attempt")
_OTHERS = ("model", "cost_usd", "duration_ms", "success", "status_code", "error_type", "event.kind", *_SESSIONS)

#: Every attribute of a record that is read; prompts, arguments and results are not.
READ = frozenset(
    {_NAME, *_OTHERS, *_TELLS_APART}
    | {name for tool in TOOLS for name in (tool.tool_name, *tool.tokens.values())}
    | {name for names in aliases.COMMON.values() for name in names}
    | {aliases.SERVICE_NAME, "service.version"}
)


@dataclass(frozen=True, slots=True)
class Record:
    """A log record: `at_ns` when it was written, or else observed, in Unix nanoseconds; `name` of its event, or its
    body."""

    at_ns: int
    name: str
    trace_id: str
    span_id: str
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]


def map_records(records: Sequence[Record], *, customer: str | None = None) -> Mapped:
    """The usage events of `records`. `customer` is for those that name none themselves."""
    mapped = Mapped()
    for index, record in enumerate(records):
        try:
            events = _events(record)
        except SpanRefused as error:
            mapped.refused.append(SpanRefusal(index, record.name, error.code, str(error)))
            continue
        if not events:
            mapped.ignored["no_agent" if _tool_of(record) is None else "no_unit"] += 1
            continue
        named = _named(record, customer)
        if "subject" not in named:
            mapped.warnings["customer_missing"] += 1
        mapped.events += [(index, event | named) for event in events]
    return mapped


def _events(record: Record) -> list[Event]:
    tool = _tool_of(record)
    if tool is None:
        return []
    name = _event_name(record)
    makers: dict[str, Callable[[Record, Tool], list[Event]]] = {
        tool.call: _call, tool.call_failed: _failed_call, tool.tool_ran: _tool_call,
    }  # fmt: skip
    made = makers.get(name)
    if made is None or (name == tool.call and tool.only and record.attributes.get(tool.only[0]) != tool.only[1]):
        return []
    if not record.at_ns:
        raise SpanRefused("time_missing", "the record has no time")
    return made(record, tool)


def _event_name(record: Record) -> str:
    """The whole name: Claude Code writes it into the body, and the part behind its prefix into `event.name`."""
    given = record.attributes.get(_NAME)
    if isinstance(given, str) and given.partition(".")[0] in _BY_PREFIX:
        return given
    return record.name


def _tool_of(record: Record) -> Tool | None:
    return _BY_PREFIX.get(_event_name(record).partition(".")[0])


def _call(record: Record, tool: Tool) -> list[Event]:
    counts = {field: whole_count(record.attributes, name) for field, name in tool.tokens.items()}
    if not tool.input_is_whole and counts["input_tokens"] is not None:
        parts = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens")
        counts["input_tokens"] = sum(counts[name] or 0 for name in parts)
    if tool.agent == "gemini-cli" and counts["output_tokens"] is not None:  # thoughts are output, counted apart
        counts["output_tokens"] += counts["reasoning_tokens"] or 0
    cost = amount(record.attributes, "cost_usd")
    fields = counts | {"cost": cost, "cost_currency": "USD" if cost else None, "finish_reason": None}
    return [_event(record, tool, "inference.call", _id(record), _of_call(record, tool) | fields)]


def _failed_call(record: Record, tool: Tool) -> list[Event]:
    error = _text(record, "error_type") or _text(record, "status_code") or "error"
    fields = {"finish_reason": "error", "error": error}
    return [_event(record, tool, "inference.call", _id(record), _of_call(record, tool) | fields)]


def _of_call(record: Record, tool: Tool) -> Fields:
    return {"operation": "chat", "provider": tool.provider, "model": _text(record, "model")}


def _tool_call(record: Record, tool: Tool) -> list[Event]:
    """The tool call, and the decision to make it: a tool that ran was chosen."""
    named = _text(record, tool.tool_name)
    if not named:
        raise SpanRefused("tool_missing", f"the record names no tool ({tool.tool_name})")
    decision_id = f"{_id(record)}/decision"
    has_failed = record.attributes.get("success") in {False, "false", "False"}
    error = (_text(record, "error_type") or "error") if has_failed else None
    call = {"tool": named, "error": error, "decision_id": decision_id}
    decision = {"kind": "tool", "choice": named, "decision_id": decision_id}
    return [
        _event(record, tool, "agent.tool_call", _id(record), call),
        _event(record, tool, "agent.decision", decision_id, decision),
    ]


def _event(record: Record, tool: Tool, event_type: str, event_id: str, data: Mapping[str, Any]) -> Event:
    span = _as_span(record)
    fields = {
        "agent": common_text(span, "agent") or tool.agent,
        "agent_version": common_text(span, "agent_version") or _resource_version(record),
        "task_id": common_text(span, "task_id"),
        "conversation_id": next(filter(None, (_text(record, name) for name in _SESSIONS)), None),
        "trace_id": record.trace_id or None,
        "span_id": record.span_id or None,
        "environment": common_text(span, "environment"),
        "region": common_text(span, "region"),
        "duration_ms": whole_count(record.attributes, "duration_ms"),
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


def _named(record: Record, customer: str | None) -> Event:
    span = _as_span(record)
    named = {
        "subject": common_text(span, "customer") or customer or common_text(span, "end_user"),
        "subscription": common_text(span, "subscription"),
    }
    return {name: value for name, value in named.items() if value is not None}


def _as_span(record: Record) -> Span:
    """The record as a span of no length, whose common fields are read as any span's."""
    return Span(
        record.trace_id, record.span_id, None, "", record.at_ns, record.at_ns, False, record.attributes, record.resource
    )


def _id(record: Record) -> str:
    """An id of what the record says: the same when it is sent again, in whatever encoding."""
    said = {name: value for name, value in record.attributes.items() if value is not None}
    text = json.dumps(
        [record.at_ns, _event_name(record), record.trace_id, record.span_id, sorted(map(_pair, said.items()))]
    )
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _pair(item: tuple[str, Value]) -> tuple[str, str]:
    """An attribute in one way: exporters write a number as a number or as text."""
    name, value = item
    if isinstance(value, bool):
        return name, str(value).lower()
    if isinstance(value, float):
        return name, format(Decimal(repr(value)).normalize(), "f")
    return name, str(value)


def _resource_version(record: Record) -> str | None:
    value = record.resource.get("service.version")
    return value[:255] if isinstance(value, str) and value else None


def _text(record: Record, name: str) -> str | None:
    value = record.attributes.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    if len(value) > 255:
        raise SpanRefused("attribute_too_long", f"{name} is longer than 255 characters")
    return value.strip()
