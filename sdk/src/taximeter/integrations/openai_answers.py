"""What OpenAI's answers say of themselves: model, tokens, why they ended, which tools they ask for. Never content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from taximeter.integrations.model_calls import Reading

#: Which operation each path is, as OpenTelemetry names them, and whether its answer is a model's response.
OPERATIONS: Mapping[str, tuple[str, bool]] = {
    "/chat/completions": ("chat", True),
    "/responses": ("chat", True),
    "/completions": ("text_completion", True),
    "/embeddings": ("embeddings", False),
}
_RESPONSE = re.compile(r"/responses/([^/]+)(?:/cancel)?")
_LAST_OF_A_RESPONSE = frozenset({"response.completed", "response.incomplete", "response.failed"})


def get(thing: Any, name: str) -> Any:
    """A field of a model object or of a dictionary; None where it has none."""
    return thing.get(name) if type(thing) is dict else getattr(thing, name, None)


def reading_of(answer: Any) -> Reading:
    """A whole answer: a chat completion, completion, response or list of embeddings."""
    reading = Reading(model=_text(get(answer, "model")))
    take_usage(reading, get(answer, "usage"))
    choices, output = _items(get(answer, "choices")), _items(get(answer, "output"))
    if choices:
        reading.finish_reason = _text(get(choices[0], "finish_reason"))
        if len(choices) == 1:  # of several answers nobody knows which is taken
            calls = _items(get(get(choices[0], "message"), "tool_calls"))
            reading.tools = [_tool(get(call, "function") or get(call, "custom"), get(call, "id")) for call in calls]
    if get(answer, "object") == "response":
        reading.finish_reason = _end_of_response(answer)
        called = [item for item in output if get(item, "type") in {"function_call", "custom_tool_call"}]
        reading.tools = [_tool(item, get(item, "call_id")) for item in called]
    return reading


def take_usage(reading: Reading, usage: Any) -> None:
    """Token counts from a `usage` in either of OpenAI's two vocabularies; what it does not say stays as it was."""
    if usage is None:
        return
    prompt, completion = get(usage, "prompt_tokens"), get(usage, "completion_tokens")
    reading.input_tokens = _count(get(usage, "input_tokens") if prompt is None else prompt)
    reading.output_tokens = _count(get(usage, "output_tokens") if completion is None else completion)
    read = get(usage, "prompt_tokens_details") or get(usage, "input_tokens_details")
    written = get(usage, "completion_tokens_details") or get(usage, "output_tokens_details")
    reading.cached_input_tokens = _count(get(read, "cached_tokens"))
    reading.reasoning_tokens = _count(get(written, "reasoning_tokens"))


class StreamReading:
    """Puts together what the parts of a stream say. `has_begun` is whether the model has."""

    def __init__(self, *, hides_usage: bool) -> None:
        self.reading = Reading()
        self.has_begun = False
        self._hides_usage = hides_usage
        self._tools: dict[Any, tuple[str, str | None]] = {}
        self._choices = 0

    @property
    def is_whole(self) -> bool:
        """Whether the end and the usage are known: a reader may well stop here."""
        return self.reading.finish_reason is not None and self.reading.input_tokens is not None

    def take(self, part: Any) -> bool:
        """Reads a part. Whether the caller shall see it: not one with only the usage it did not ask for."""
        choices = get(part, "choices")
        if choices is None:  # an event of the Responses API
            self._take_event(part)
            return True
        self.reading.model = self.reading.model or _text(get(part, "model"))
        usage = get(part, "usage")
        take_usage(self.reading, usage)
        for choice in _items(choices):
            self.has_begun = True
            self._choices = max(self._choices, (get(choice, "index") or 0) + 1)
            self.reading.finish_reason = _text(get(choice, "finish_reason")) or self.reading.finish_reason
            delta = get(choice, "delta")  # a text completion has none
            self._take_tools(get(delta, "tool_calls") if delta is not None else None)
        return not (self._hides_usage and usage is not None and not choices)

    def _take_event(self, event: Any) -> None:
        kind = str(get(event, "type") or "")
        self.has_begun = self.has_begun or kind.startswith("response.output")
        if kind in _LAST_OF_A_RESPONSE:
            self.reading = reading_of(get(event, "response"))

    def awaits_usage(self) -> bool:
        """Whether the answer is there and only its usage is not: callers may stop reading here."""
        return bool(self._hides_usage and self.reading.finish_reason and self.reading.input_tokens is None)

    def whole(self) -> Reading:
        """The reading at the end of the stream."""
        if self._tools and self._choices == 1:
            self.reading.tools = list(self._tools.values())
        return self.reading

    def part(self) -> Reading | None:
        """The reading of a stream that broke off; None where the model had not begun."""
        return self.reading if self.has_begun else None

    def _take_tools(self, calls: Any) -> None:
        if not calls:
            return
        for call in _items(calls):
            place, function = get(call, "index"), get(call, "function")
            name = get(function, "name")
            if name and place not in self._tools:
                self._tools[place] = (str(name), _text(get(call, "id")))


def unfinished(answer: Any) -> str | None:
    """The id of a response that OpenAI still works on in the background."""
    if get(answer, "object") == "response" and get(answer, "status") in {"queued", "in_progress"}:
        return _text(get(answer, "id"))
    return None


def asked_again(path: str) -> str | None:
    """The id of the response that `path` asks for again, or calls off."""
    found = _RESPONSE.fullmatch(path)
    return found[1] if found else None


def tools_offered(body: Mapping[str, Any]) -> list[str]:
    """The names of the tools a request offers."""
    found = [get(tool, "name") or get(get(tool, "function"), "name") for tool in _items(body.get("tools"))]
    return [str(name) for name in found if name]


def tools_answered(body: Mapping[str, Any]) -> Iterable[str]:
    """The ids of the tool calls whose results a request hands back."""
    for message in _items(body.get("messages")):
        if get(message, "role") == "tool":
            yield str(get(message, "tool_call_id"))
    for item in _items(body.get("input")):
        if get(item, "type") in {"function_call_output", "custom_tool_call_output"}:
            yield str(get(item, "call_id"))


def _end_of_response(answer: Any) -> str | None:
    status = _text(get(answer, "status"))
    if status == "incomplete":
        return _text(get(get(answer, "incomplete_details"), "reason")) or status
    return "stop" if status == "completed" else status


def _tool(function: Any, call_id: Any) -> tuple[str, str | None]:
    return str(get(function, "name") or "unknown"), _text(call_id)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
