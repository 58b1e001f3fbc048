"""Logs of OpenAI's API: chat completions and responses, bare, beside their request, or as a batch gave them.

Each is an inference call and a turn, and each tool it calls a decision. `metadata` of the request or the answer may
name the `task_id`, the `conversation_id`, the `customer` and the `agent`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taximeter import Event

from agents.importers.formats import reading
from agents.importers.formats.reading import Context, key, lookup, text, tokens
from agents.importers.report import LineBroken

SOURCE = "import/openai"

_KNOWN = ("chat.completion", "response")


def events_of(record: Mapping[str, Any], context: Context) -> list[Event]:
    """The record's events; none for a request that failed. Raises `LineBroken`."""
    answer = lookup(record, "response.body", "response", "body") or record
    if not isinstance(answer, Mapping):
        raise LineBroken("the response is no object", code="response_invalid")
    if answer.get("error") is not None or record.get("error") is not None:
        return []
    if answer.get("object") not in _KNOWN:
        raise LineBroken("no chat.completion and no response", code="response_unknown")
    at = reading.instant(answer, "created", "created_at") or reading.instant(record, "created_at", "timestamp")
    at = at or context.time
    if at is None:
        raise LineBroken("no time: the answer has no created", code="time_missing")
    call_id = reading.identifier(answer, "id")
    both = {"metadata": {**_object(record, "request.metadata", "metadata"), **_object(answer, "metadata")}}
    common = {
        **reading.agent_of(text(both, "metadata.agent") or context.agent),
        "task_id": text(both, "metadata.task_id"),
        "conversation_id": text(both, "metadata.conversation_id", "metadata.session_id"),
    }
    return reading.answered_turn(
        SOURCE,
        call_id,
        time=at,
        customer=key(both, "metadata.customer") or context.customer or key(record, "request.user", "user"),
        common=common,
        call=_call(answer),
        tools=_tools(answer),
    )


def _call(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider": "openai",
        "model": text(answer, "model"),
        "input_tokens": tokens(answer, "usage.prompt_tokens", "usage.input_tokens"),
        "cached_input_tokens": tokens(
            answer, "usage.prompt_tokens_details.cached_tokens", "usage.input_tokens_details.cached_tokens"
        ),
        "output_tokens": tokens(answer, "usage.completion_tokens", "usage.output_tokens"),
        "reasoning_tokens": tokens(
            answer,
            "usage.completion_tokens_details.reasoning_tokens",
            "usage.output_tokens_details.reasoning_tokens",
        ),
        "finish_reason": _finish_reason(answer),
    }


def _choices(answer: Mapping[str, Any]) -> list[Any]:
    choices = answer.get("choices")
    return choices if isinstance(choices, list) else []


def _finish_reason(answer: Mapping[str, Any]) -> str | None:
    reasons = [text(choice, "finish_reason") for choice in _choices(answer)[:1]]
    return reasons[0] if reasons else text(answer, "status")


def _tools(answer: Mapping[str, Any]) -> list[str]:
    """The tools that the first choice calls; further choices are samples that were not taken."""
    calls: list[Any] = []
    for choice in _choices(answer)[:1]:
        found = lookup(choice, "message.tool_calls")
        calls += found if isinstance(found, list) else []
        calls += [{"function": found}] if (found := lookup(choice, "message.function_call")) else []
    output = answer.get("output")
    if isinstance(output, list):
        calls += [item for item in output if lookup(item, "type") == "function_call"]
    names = [text(call, "function.name", "custom.name", "name") for call in calls]
    if None in names:
        raise LineBroken("a tool call names no function", code="tool_call_invalid")
    return [name for name in names if name is not None]


def _object(record: Mapping[str, Any], *paths: str) -> Mapping[str, Any]:
    found = lookup(record, *paths)
    return found if isinstance(found, Mapping) else {}
