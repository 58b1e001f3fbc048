"""What all requests of OpenAI's API have in common: a model, sampling, limits; checked.

Fields that have no effect on the answer (`user`, `metadata`, `store`) are ignored; fields that would
have one and are not supported are refused, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel.errors import InvalidError

MAX_OUTPUT_TOKENS = 4096
_NUMBERS = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}


class RequestError(InvalidError):
    """The request is not one the engine can answer; `param` names the field."""

    code = "invalid_request_error"

    def __init__(self, detail: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.param = param


@dataclass(frozen=True, slots=True)
class Generation:
    """What the engine is to generate: an answer to `messages`, or a text that goes on from `prompt`.

    `grammar` is what the text must fit (see `domain.grammar`), None for free text; `sampling` goes to the
    engine as it is. `starts_call` says that a text beginning with `{` is a call of a tool.
    """

    max_tokens: int
    messages: tuple[Mapping[str, str], ...] = ()
    prompt: str | None = None
    grammar: str | None = None
    is_json: bool = False
    starts_call: bool = False
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextRequest:
    """A checked request for text: the model by name, how it wants its answer, and what is to be generated."""

    model: str
    generation: Generation
    stream: bool = False
    include_usage: bool = False


def as_object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise RequestError("The body must be a JSON object")
    return body


def refuse(body: Mapping[str, Any], *names: str) -> None:
    """Raises for a field that asks for something the engine does not do."""
    for name in names:
        if body.get(name):
            raise RequestError(f"The engine does not support '{name}'", param=name, code="unsupported_parameter")


def refuse_choices(body: Mapping[str, Any], name: str) -> None:
    """One choice a request: more are asked for one by one."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or value != 1):
        raise RequestError("The engine gives one choice a request", param=name, code="unsupported_parameter")


def model_of(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestError("'model' is required", param="model")
    return model


def stream_of(body: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether to stream, and whether the stream ends with the usage."""
    stream, options = body.get("stream"), body.get("stream_options")
    if stream is not None and not isinstance(stream, bool):
        raise RequestError("'stream' must be true or false", param="stream")
    if options is not None and not isinstance(options, Mapping):
        raise RequestError("'stream_options' must be an object", param="stream_options")
    return bool(stream), bool(options) and (options or {}).get("include_usage") is True


def max_tokens_of(body: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise RequestError(f"'{name}' must be a whole number of at least 1", param=name)
            return min(value, MAX_OUTPUT_TOKENS)
    return MAX_OUTPUT_TOKENS


def sampling_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """`temperature`, `top_p`, the penalties, `seed` and `stop`, those that are given."""
    sampling: dict[str, Any] = {}
    for name, (low, high) in _NUMBERS.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise RequestError(f"'{name}' must be a number from {low:g} to {high:g}", param=name)
        sampling[name] = value
    seed = body.get("seed")
    if seed is not None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise RequestError("'seed' must be a whole number", param="seed")
        sampling["seed"] = seed & 0x7FFF_FFFF
    stop = body.get("stop")
    if stop is not None and stop != []:
        texts = [stop] if isinstance(stop, str) else stop
        if not isinstance(texts, list) or len(texts) > 4 or not all(isinstance(t, str) and t for t in texts):
            raise RequestError("'stop' must be a text or up to four of them", param="stop")
        sampling["stop"] = texts
    return sampling
