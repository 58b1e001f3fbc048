"""What LangChain says of a run: names, models, tokens, tools. Never content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taximeter.integrations.model_calls import Reading
from taximeter.integrations.openai_answers import take_usage

_REASONS = ("finish_reason", "stop_reason", "done_reason")
_MODELS = ("model_name", "model", "model_id")


def name_of(serialized: Any, said: Mapping[str, Any]) -> str:
    """What a run is called: by its caller, by itself, or by its class."""
    names = [said.get("name")]
    if isinstance(serialized, Mapping):
        names += [serialized.get("name"), *reversed(serialized.get("id") or [])]
    return next((str(name) for name in names if name), "unknown")


def model_of(serialized: Any, said: Mapping[str, Any]) -> str:
    """The model that is asked."""
    metadata, params = said.get("metadata") or {}, said.get("invocation_params") or {}
    names = [metadata.get("ls_model_name"), *(params.get(name) for name in _MODELS)]
    return next((str(name) for name in names if name), name_of(serialized, said))


def tools_offered(said: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the tools a model may choose from."""
    offered = (said.get("invocation_params") or {}).get("tools") or (said.get("options") or {}).get("tools") or []
    found = []
    for tool in offered:
        if isinstance(tool, Mapping):
            name = tool.get("name") or (tool.get("function") or {}).get("name")
        else:
            name = getattr(tool, "name", None)
        found.append(name)
    return tuple(str(name) for name in found if name)


def reading_of(result: Any) -> Reading:
    """An `LLMResult`: of chat models by their message's `usage_metadata`, of others by `llm_output`."""
    generations = getattr(result, "generations", None) or [[]]
    generation = generations[0][0] if generations[0] else None
    message = getattr(generation, "message", None)
    output = getattr(result, "llm_output", None) or {}
    told = getattr(generation, "generation_info", None), getattr(message, "response_metadata", None)
    about = {name: value for part in told for name, value in (part or {}).items()}
    reading = Reading(
        model=_first(about, _MODELS) or _first(output, _MODELS),
        finish_reason=_first(about, _REASONS),
        tools=[(str(call["name"]), call.get("id")) for call in getattr(message, "tool_calls", None) or []],
    )
    usage = getattr(message, "usage_metadata", None)
    if usage is None:
        take_usage(reading, output.get("token_usage") or output.get("usage"))
        return reading
    read, written = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    reading.input_tokens, reading.output_tokens = usage.get("input_tokens"), usage.get("output_tokens")
    reading.cached_input_tokens, reading.reasoning_tokens = read.get("cache_read"), written.get("reasoning")
    reading.cache_write_input_tokens = read.get("cache_creation")
    return reading


def _first(about: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((str(about[name]) for name in names if about.get(name)), None)
