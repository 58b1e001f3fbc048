"""Completion and embedding requests as OpenAI's API defines them, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.domain import requests
from inference.domain.requests import Generation, RequestError, TextRequest

MAX_INPUTS = 256


def parse_completion_request(body: object) -> TextRequest:
    """`body` checked; raises `RequestError`."""
    fields = requests.as_object(body)
    requests.refuse(fields, "echo", "suffix", "logprobs", "logit_bias")
    requests.refuse_choices(fields, "n")
    requests.refuse_choices(fields, "best_of")
    model = requests.model_of(fields)
    stream, include_usage = requests.stream_of(fields)
    generation = Generation(
        prompt=_prompt(fields.get("prompt")),
        # OpenAI's own default here is 16.
        max_tokens=requests.max_tokens_of({"max_tokens": 16, **_given(fields)}),
        sampling=requests.sampling_of(fields),
    )
    return TextRequest(model, generation, stream=stream, include_usage=include_usage)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _prompt(prompt: object) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise RequestError("'prompt' must be one text", param="prompt")
    return prompt


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to be turned into vectors; `as_base64` asks for them as little-endian floats in base64."""

    model: str
    inputs: tuple[str, ...]
    as_base64: bool


def parse_embedding_request(body: object) -> EmbeddingRequest:
    """`body` checked; raises `RequestError`."""
    fields = requests.as_object(body)
    requests.refuse(fields, "dimensions")
    model = requests.model_of(fields)
    form = fields.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise RequestError("'encoding_format' must be float or base64", param="encoding_format")
    given = fields.get("input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_INPUTS:
        raise RequestError(f"'input' must be a text or a list of 1 to {MAX_INPUTS}", param="input")
    if not all(isinstance(text, str) and text for text in inputs):
        raise RequestError("Each of 'input' must be text, and none of it empty", param="input")
    return EmbeddingRequest(model, tuple(inputs), as_base64=form == "base64")
