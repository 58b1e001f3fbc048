"""The model behind an agent: anything that speaks OpenAI's chat completions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from agents.runtime.errors import ModelRefused, ModelUnavailable

Message = Mapping[str, str]

#: Waits before trying again, in seconds; the last failure is raised.
_WAITS = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer, and what it used as fields of an `inference.call` event (`activity` without the text).

    `compute_seconds` is a decimal text, or None where the server does not measure it. `log_probabilities` are those
    of the answer's tokens (`{"token", "logprob"}`), where they were asked for and the server gives them.
    """

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    compute_seconds: str | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    log_probabilities: Sequence[Mapping[str, Any]] = ()


class ModelClient(Protocol):
    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any], max_tokens: int) -> Completion:
        """The model's answer as JSON that fits `schema`; raises `ModelUnavailable` or `ModelRefused`."""


class HttpModelClient:
    """A model behind an OpenAI-compatible address, or behind the engine's unix socket.

    Answers are as repeatable as the server makes them: temperature 0 and a fixed seed. Without a `model`
    the server's first one is asked.
    """

    def __init__(
        self,
        *,
        address: str = "http://engine",
        socket: str | None = None,
        api_key: str = "",
        model: str | None = None,
        provider: str = "taximeter",
        hardware: str | None = None,
        log_probabilities: bool = False,
        timeout: float = 300.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        transport = httpx.HTTPTransport(uds=socket) if socket else None
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=address, transport=transport, headers=headers, timeout=timeout)
        self._model = model
        self._provider = provider
        self._hardware = {"hardware": hardware} if hardware else {}
        self._log_probabilities = {"logprobs": True} if log_probabilities else {}
        self._sleep = sleep

    @property
    def model(self) -> str:
        """What the model is called; asks the server the first time. Raises `ModelUnavailable`."""
        if self._model is None:
            listed = self._send("GET", "/v1/models")["data"]
            if not listed:
                raise ModelUnavailable("The model server has no model")
            self._model = str(listed[0]["id"])
        return self._model

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any], max_tokens: int) -> Completion:
        body = {
            "model": self.model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 1,
            "response_format": {"type": "json_schema", "json_schema": {"name": "decision", "schema": schema}},
            **self._log_probabilities,
        }
        answer = self._send("POST", "/v1/chat/completions", body)
        usage, account = answer["usage"], dict(answer.get("taximeter") or {})
        choice = answer["choices"][0]
        for known in ("input_tokens", "output_tokens", "first_token_ms", "model"):
            account.pop(known, None)
        return Completion(
            text=choice["message"]["content"] or "",
            model=answer["model"],
            input_tokens=usage["prompt_tokens"],
            output_tokens=usage["completion_tokens"],
            compute_seconds=account.pop("compute_seconds", None),
            measured={
                "provider": self._provider,
                "finish_reason": choice["finish_reason"],
                **_details(usage),
                **self._hardware,
                **account,
            },
            log_probabilities=(choice.get("logprobs") or {}).get("content") or (),
        )

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        for wait in (*_WAITS, None):
            problem = "no answer"
            try:
                response = self._http.request(method, path, json=body)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.status_code == 200:
                    return dict(response.json())
                problem = f"status {response.status_code}: {response.text[:500]}"
                if response.status_code not in {429, 502, 503, 504}:
                    raise ModelRefused(f"The model server refused the request: {problem}")
            if wait is not None:
                self._sleep(wait)
        raise ModelUnavailable(f"The model server is not answering ({problem})")


def _details(usage: Mapping[str, Any]) -> dict[str, int]:
    """Tokens that a server counts apart; they are among the others."""
    found = {
        "cached_input_tokens": (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        "reasoning_tokens": (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    }
    return {name: value for name, value in found.items() if value is not None}
