"""One call under way: its text and its usage, followed from chunk to chunk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from inference.domain.apportionment import Apportionment, UnitCosts
from inference.domain.compute import CallUsage, seconds_from_nanoseconds
from inference.domain.requests import RequestError
from kernel.errors import TaximeterError

_UNUSABLE_SCHEMA = "The JSON schema cannot be turned into a grammar; simplify it"

#: Gets each piece of text with the usage so far; answers whether the request goes on.
OnText = Callable[[str, CallUsage], bool]


class EngineFailure(TaximeterError):
    """The engine could not answer although the request was right."""

    code = "engine_failed"


class RunningCall:
    """Follows a call; an exception in it is kept in `error`, as the engine would swallow it."""

    def __init__(
        self, on_text: OnText, queue_ms: int, pool: Apportionment, costs: UnitCosts, *, checks_json: bool
    ) -> None:
        self._on_text = on_text
        self._checks_json = checks_json
        self._json = ""
        self._pool = pool
        self._share = pool.begin(costs, at=time.process_time_ns())
        self._admitted_at = time.monotonic()
        self._usage = CallUsage(queue_ms=queue_ms)
        self.stopped = False
        self.error: Exception | None = None

    def on_chunk(self, chunk: dict[str, Any]) -> bool:
        """Called by the engine for each chunk; True cancels."""
        try:
            return self._take(chunk)
        except Exception as error:
            self.error, self.stopped = error, True
            return True

    def _take(self, chunk: dict[str, Any]) -> bool:
        if "error" in chunk:
            self.error = error_from(chunk["error"])
            return True
        self._measure(chunk)
        text, finish_reason = "", None
        for choice in chunk.get("choices", ()):
            text += (choice["delta"].get("content") if "delta" in choice else choice["text"]) or ""
            finish_reason = choice.get("finish_reason") or finish_reason
        if finish_reason:
            self._usage = replace(self._usage, finish_reason=finish_reason)
        if self._checks_json:
            self._check_json(text)
        if not self._on_text(text, self._usage):
            self._usage = replace(self._usage, finish_reason="cancelled")
            self.stopped = True
        return self.stopped

    def _measure(self, chunk: dict[str, Any]) -> None:
        before, timings, usage = self._usage, chunk.get("timings"), chunk.get("usage")
        if timings:
            first = before.first_token_ms
            if first is None and timings["predicted_n"]:
                first = round((time.monotonic() - self._admitted_at) * 1000)
            before = replace(
                before,
                input_tokens=timings["prompt_n"] + timings["cache_n"],
                cached_input_tokens=timings["cache_n"],
                output_tokens=timings["predicted_n"],
                prompt_ms=round(timings["prompt_ms"]),
                generation_ms=round(timings["predicted_ms"]),
                first_token_ms=first,
            )
        if usage:
            before = replace(before, input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"])
        spent = self._pool.advance(
            self._share,
            prompt_tokens=before.input_tokens - before.cached_input_tokens,
            output_tokens=before.output_tokens,
            at=time.process_time_ns(),
        )
        self._usage = replace(before, compute_seconds=seconds_from_nanoseconds(spent))

    def _check_json(self, text: str) -> None:
        self._json += text
        if self._json and self._json[0] not in '{["-0123456789tfn':
            raise RequestError(_UNUSABLE_SCHEMA, param="response_format", code="schema_unsupported")
        if self._usage.finish_reason == "stop" and not text:
            try:
                json.loads(self._json)
            except ValueError:
                raise RequestError(_UNUSABLE_SCHEMA, param="response_format", code="schema_unsupported") from None

    def finish(self) -> CallUsage:
        """The usage in all; call once, when the engine is off it."""
        spent = self._pool.end(self._share, at=time.process_time_ns())
        return replace(self._usage, compute_seconds=seconds_from_nanoseconds(spent))


def error_from(error: dict[str, Any]) -> Exception:
    """What an error object of llama.cpp says, as an error of ours."""
    message, status = str(error.get("message", "the engine gave no reason")), error.get("code")
    if error.get("type") == "exceed_context_size_error":
        return RequestError(message, param="messages", code="context_length_exceeded")
    if isinstance(status, int) and 400 <= status < 500:
        return RequestError(message)
    return EngineFailure(message)
