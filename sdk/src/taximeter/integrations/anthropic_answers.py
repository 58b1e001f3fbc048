"""What Anthropic's answers say of themselves: model, tokens, why they ended, tools they ask for. Never content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from taximeter.integrations.model_calls import Reading
from taximeter.integrations.openai_answers import get

OPERATIONS: Mapping[str, tuple[str, bool]] = {
    "/v1/messages": ("chat", True),
    "/v1/messages?beta=true": ("chat", True),
    "/v1/complete": ("text_completion", True),
}


def reading_of(answer: Any) -> Reading:
    """A whole message."""
    reading = Reading(model=get(answer, "model"), finish_reason=get(answer, "stop_reason"))
    take_usage(reading, get(answer, "usage"))
    for block in get(answer, "content") or ():
        _take_tool(reading, block)
    return reading


def take_usage(reading: Reading, usage: Any) -> None:
    """Token counts. Anthropic counts what is read from and written to the cache beside `input_tokens`; here, as with
    other providers, `input_tokens` are all of them."""
    if usage is None:
        return
    given, read, written = (
        get(usage, name) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    if given is not None:
        reading.input_tokens = given + (read or 0) + (written or 0)
        reading.cached_input_tokens, reading.cache_write_input_tokens = read, written
    if get(usage, "output_tokens") is not None:
        reading.output_tokens = get(usage, "output_tokens")


class StreamReading:
    """Puts together what the events of a stream say."""

    def __init__(self) -> None:
        self._reading = Reading()
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        return self._reading.finish_reason is not None

    def take(self, part: Any) -> bool:
        """Reads an event; all are the caller's to see."""
        kind = get(part, "type")
        if kind == "message_start":
            message = get(part, "message")
            self._reading.model = get(message, "model")
            take_usage(self._reading, get(message, "usage"))
        elif kind == "content_block_start":
            self._has_begun = True
            _take_tool(self._reading, get(part, "content_block"))
        elif kind == "message_delta":
            take_usage(self._reading, get(part, "usage"))
            self._reading.finish_reason = get(get(part, "delta"), "stop_reason")
        return True

    def awaits_usage(self) -> bool:
        return False

    def whole(self) -> Reading:
        return self._reading

    def part(self) -> Reading | None:
        """What was read of it until then. The output told at the start is no count of what came."""
        if not self._has_begun:
            return None
        if self._reading.finish_reason is None:
            self._reading.output_tokens = None
        return self._reading


def tools_offered(body: Mapping[str, Any]) -> list[str]:
    return [str(get(tool, "name")) for tool in body.get("tools") or () if get(tool, "name")]


def tools_answered(body: Mapping[str, Any]) -> Iterable[str]:
    """The ids of the tool calls whose results a request hands back."""
    for message in body.get("messages") or ():
        content = get(message, "content")
        for block in content if isinstance(content, (list, tuple)) else ():
            if get(block, "type") == "tool_result":
                yield str(get(block, "tool_use_id"))


def provider_of(client: Any) -> str:
    """Who answers: `anthropic`, a cloud that serves its models, or another host."""
    host = urlsplit(str(client.base_url)).hostname or "unknown"
    if host == "anthropic.com" or host.endswith(".anthropic.com"):
        return "anthropic"
    if host.startswith("bedrock-runtime."):
        return "aws.bedrock"
    return "gcp.vertex_ai" if host.endswith("aiplatform.googleapis.com") else host


def _take_tool(reading: Reading, block: Any) -> None:
    if get(block, "type") == "tool_use":  # those that Anthropic runs itself are no decisions of the agent's
        reading.tools.append((str(get(block, "name")), get(block, "id")))
