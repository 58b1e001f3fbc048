"""Chat completion requests as OpenAI's API defines them: what of it the engine takes, checked.

Fields that have no effect on the answer (`user`, `metadata`, `store`) are ignored; fields that would
have one and are not supported are refused, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel.errors import InvalidError

MAX_OUTPUT_TOKENS = 4096
_ROLES = {"system", "developer", "user", "assistant"}
_NUMBERS = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}
_UNSUPPORTED = ("tools", "functions", "tool_choice", "function_call", "audio", "modalities", "logit_bias", "logprobs")


class ChatRequestError(InvalidError):
    """The request is not one the engine can answer; `param` names the field."""

    code = "invalid_request_error"

    def __init__(self, detail: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.param = param


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request. `schema` is what the answer must be JSON of; `sampling` goes to the engine as it is."""

    model: str
    messages: list[dict[str, str]]
    max_tokens: int
    stream: bool = False
    include_usage: bool = False
    schema: dict[str, Any] | None = None
    sampling: dict[str, Any] = field(default_factory=dict)


def parse_chat_request(body: object) -> ChatRequest:
    """`body` checked; raises `ChatRequestError`."""
    if not isinstance(body, Mapping):
        raise ChatRequestError("The body must be a JSON object")
    for name in _UNSUPPORTED:
        if body.get(name):
            raise ChatRequestError(f"The engine does not support '{name}'", param=name, code="unsupported_parameter")
    if body.get("n") not in {None, 1}:
        raise ChatRequestError("The engine gives one choice a request", param="n", code="unsupported_parameter")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ChatRequestError("'model' is required", param="model")
    options = body.get("stream_options") or {}
    return ChatRequest(
        model=model,
        messages=_messages(body.get("messages")),
        max_tokens=_max_tokens(body),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, Mapping) and options.get("include_usage") is True,
        schema=_schema(body.get("response_format")),
        sampling=_sampling(body),
    )


def _messages(messages: object) -> list[dict[str, str]]:
    if not isinstance(messages, list) or not messages:
        raise ChatRequestError("'messages' must be a list of at least one message", param="messages")
    checked = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise ChatRequestError(f"{where}.role must be one of {', '.join(sorted(_ROLES))}", param=f"{where}.role")
        role = "system" if message["role"] == "developer" else message["role"]
        checked.append({"role": role, "content": _content(message.get("content"), where)})
    return checked


def _content(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(p, Mapping) and isinstance(p.get("text"), str) for p in content):
        return "".join(part["text"] for part in content)
    raise ChatRequestError(f"{where}.content must be text", param=f"{where}.content")


def _max_tokens(body: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ChatRequestError(f"'{name}' must be a whole number of at least 1", param=name)
            return min(value, MAX_OUTPUT_TOKENS)
    return MAX_OUTPUT_TOKENS


def _schema(response_format: object) -> dict[str, Any] | None:
    if response_format is None:
        return None
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    if kind == "json_schema" and isinstance(response_format, Mapping):
        wrapped = response_format.get("json_schema")
        schema = wrapped.get("schema") if isinstance(wrapped, Mapping) else None
        if isinstance(schema, dict):
            return schema
        raise ChatRequestError("'response_format.json_schema.schema' must be an object", param="response_format")
    raise ChatRequestError("'response_format.type' must be text, json_object or json_schema", param="response_format")


def _sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    sampling: dict[str, Any] = {}
    for name, (low, high) in _NUMBERS.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ChatRequestError(f"'{name}' must be a number from {low:g} to {high:g}", param=name)
        sampling[name] = value
    seed = body.get("seed")
    if seed is not None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ChatRequestError("'seed' must be a whole number", param="seed")
        sampling["seed"] = seed & 0x7FFF_FFFF
    stop = body.get("stop")
    if stop is not None:
        texts = [stop] if isinstance(stop, str) else stop
        if not isinstance(texts, list) or len(texts) > 4 or not all(isinstance(t, str) and t for t in texts):
            raise ChatRequestError("'stop' must be a text or up to four of them", param="stop")
        sampling["stop"] = texts
    return sampling
