"""Chat completion requests as OpenAI's API defines them, checked and made into what the engine generates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from inference.domain import grammar, requests
from inference.domain.requests import Generation, RequestError, TextRequest
from inference.domain.tools import Toolset, toolset_of

_ROLES = {"system", "developer", "user", "assistant", "tool"}
_UNSUPPORTED = ("functions", "function_call", "audio", "logit_bias", "logprobs", "top_logprobs", "prediction")


def parse_chat_request(body: object) -> TextRequest:
    """`body` checked; raises `RequestError`."""
    fields = requests.as_object(body)
    requests.refuse(fields, *_UNSUPPORTED)
    requests.refuse_choices(fields, "n")
    if fields.get("modalities") not in (None, ["text"]):
        raise RequestError("The engine answers in text alone", param="modalities", code="unsupported_parameter")
    model = requests.model_of(fields)
    stream, include_usage = requests.stream_of(fields)
    tools, schema = toolset_of(fields), _schema(fields.get("response_format"))
    if tools and schema is not None:
        raise RequestError(
            "Ask for 'tools' or a 'response_format', not both: tool calls are JSON of their own",
            param="response_format",
            code="unsupported_parameter",
        )
    generation = Generation(
        messages=_messages(fields.get("messages"), tools),
        max_tokens=requests.max_tokens_of(fields),
        grammar=tools.grammar if tools else None if schema is None else grammar.json_of(schema),
        is_json=schema is not None or (tools is not None and tools.required),
        starts_call=tools is not None,
        sampling=requests.sampling_of(fields),
    )
    return TextRequest(model, generation, stream=stream, include_usage=include_usage)


def _messages(messages: object, tools: Toolset | None) -> tuple[dict[str, str], ...]:
    if not isinstance(messages, list) or not messages:
        raise RequestError("'messages' must be a list of at least one message", param="messages")
    checked = [_message(message, f"messages[{index}]") for index, message in enumerate(messages)]
    if tools:
        if checked[0]["role"] == "system":
            checked[0]["content"] += f"\n\n{tools.instructions}"
        else:
            checked.insert(0, {"role": "system", "content": tools.instructions})
    return tuple(checked)


def _message(message: object, where: str) -> dict[str, str]:
    role = message.get("role") if isinstance(message, Mapping) else None
    if not isinstance(message, Mapping) or role not in _ROLES:
        raise RequestError(f"{where}.role must be one of {', '.join(sorted(_ROLES))}", param=f"{where}.role")
    if role == "assistant" and message.get("tool_calls"):
        return {"role": "assistant", "content": _calls(message["tool_calls"], where)}
    content = _content(message.get("content"), where)
    if role == "tool":
        # Told by the user's side: not every model's template has a place for tools.
        return {"role": "user", "content": f"The tool answered: {content}"}
    return {"role": "system" if role == "developer" else str(role), "content": content}


def _calls(calls: object, where: str) -> str:
    """Calls of an earlier answer, written as the model wrote them."""
    if not isinstance(calls, list):
        raise RequestError(f"{where}.tool_calls must be a list", param=f"{where}.tool_calls")
    written = []
    for call in calls:
        function = call.get("function") if isinstance(call, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        arguments = function.get("arguments") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or not isinstance(arguments, str):
            raise RequestError(
                f"{where}.tool_calls must each have a function with name and arguments", param=f"{where}.tool_calls"
            )
        written.append(f'{{"name":{json.dumps(name)},"arguments":{arguments}}}')
    return "\n".join(written)


def _content(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(p, Mapping) and isinstance(p.get("text"), str) for p in content):
        return "".join(part["text"] for part in content)
    raise RequestError(f"{where}.content must be text", param=f"{where}.content")


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
        raise RequestError("'response_format.json_schema.schema' must be an object", param="response_format")
    raise RequestError("'response_format.type' must be text, json_object or json_schema", param="response_format")
