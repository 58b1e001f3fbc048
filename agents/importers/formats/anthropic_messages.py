"""Answers of Anthropic's messages API: bare, beside their request, or as a batch gave them.

Each is an inference call and a turn, and each tool it uses a decision. Answers have no time of their own: it stands
beside them (`created_at`, `timestamp`), or is given for the file. Input tokens that were read from a cache or written
to one are counted apart by the API; an event's `input_tokens` are all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taximeter import Event

from agents.importers.formats import reading
from agents.importers.formats.reading import Context, key, lookup, text, tokens
from agents.importers.report import LineBroken

SOURCE = "import/anthropic"

# Tuples: what a record holds there may be anything, and need not have a hash.
_FAILED = ("errored", "canceled", "expired")
_TOOL_USES = ("tool_use", "server_tool_use")


def events_of(record: Mapping[str, Any], context: Context) -> list[Event]:
    """The record's events; none for a request that failed. Raises `LineBroken`."""
    answer = lookup(record, "result.message", "response.body", "response", "message", "body") or record
    if not isinstance(answer, Mapping):
        raise LineBroken("the response is no object", code="response_invalid")
    if answer.get("type") == "error" or lookup(record, "result.type") in _FAILED:
        return []
    if answer.get("type") != "message" or answer.get("role") != "assistant":
        raise LineBroken("no message of the assistant", code="response_unknown")
    at = reading.instant(record, "created_at", "timestamp", "time", "response.created_at") or context.time
    if at is None:
        raise LineBroken("no time: give --start and --every, or created_at beside the answer", code="time_missing")
    found = lookup(record, "metadata", "request.metadata")
    told = {"metadata": found if isinstance(found, Mapping) else {}}
    return reading.answered_turn(
        SOURCE,
        reading.identifier(answer, "id"),
        time=at,
        customer=key(told, "metadata.customer") or context.customer or key(told, "metadata.user_id"),
        common={
            **reading.agent_of(text(told, "metadata.agent") or context.agent),
            "task_id": text(told, "metadata.task_id"),
            "conversation_id": text(told, "metadata.conversation_id", "metadata.session_id"),
        },
        call=_call(answer),
        tools=_tools(answer),
    )


def _call(answer: Mapping[str, Any]) -> dict[str, Any]:
    plain = tokens(answer, "usage.input_tokens")
    read = tokens(answer, "usage.cache_read_input_tokens")
    written = tokens(answer, "usage.cache_creation_input_tokens")
    return {
        "provider": "anthropic",
        "model": text(answer, "model"),
        "input_tokens": None if plain is None else plain + (read or 0) + (written or 0),
        "cached_input_tokens": read,
        "cache_write_input_tokens": written,
        "output_tokens": tokens(answer, "usage.output_tokens"),
        "finish_reason": text(answer, "stop_reason"),
    }


def _tools(answer: Mapping[str, Any]) -> list[str]:
    blocks = answer.get("content")
    if not isinstance(blocks, list):
        return []
    names = [text(block, "name") for block in blocks if lookup(block, "type") in _TOOL_USES]
    if None in names:
        raise LineBroken("a tool_use block has no name", code="tool_call_invalid")
    return [name for name in names if name is not None]
