"""The one place that speaks to xllamacpp (llama.cpp): loading, generating, measuring.

Facts this rests on, each measured with the pinned version:
- a model loaded before a fork hangs in the child, so it is loaded in the process that serves;
- every `Server` opens an HTTP port, a way around the meter; here it is a socket in a private directory
  that is removed as soon as it exists, behind a random key;
- only a streaming call can be cancelled (the callback answers True), and even then the batch being
  worked on is finished, which is waited for and counted;
- an exception inside the callback is swallowed, so it is kept and raised afterwards;
- a schema that the grammar engine cannot use is dropped in silence and the answer is free text, so what
  comes out under a schema is checked to be JSON;
- with more than one thread the threads spin while they wait, and processor time varies by a third.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from inference.domain.chat import ChatRequest, ChatRequestError
from inference.domain.compute import CallUsage, seconds_from_nanoseconds
from inference.engine.model_file import ModelFile
from inference.engine.openmp import provide_openmp
from kernel.errors import TaximeterError

provide_openmp()
import xllamacpp  # noqa: E402 - needs the line above where the system has no OpenMP

#: Prompt tokens worked on at once. It bounds how long a cancelled request goes on.
_BATCH = 128
#: Tells the grammar engine to leave out the optional spaces of JSON, which cost tokens.
_COMPACT = {"x-guidance": {"whitespace_flexible": False}}

_UNUSABLE_SCHEMA = "The JSON schema cannot be turned into a grammar; simplify it"

#: Gets each piece of text with the usage so far; answers whether the request goes on.
OnText = Callable[[str, CallUsage], bool]


class EngineFailure(TaximeterError):
    """The engine could not answer although the request was right."""

    code = "engine_failed"


class LlamaModel:
    """One loaded model. Not for use by two threads at once; the queue sees to that."""

    def __init__(self, file: ModelFile, *, context: int) -> None:
        self.file = file
        limit = file.metadata.context_length or context
        self.context = min(context, limit)
        with tempfile.TemporaryDirectory(prefix="taximeter-engine-") as private:
            try:
                self._server = xllamacpp.Server(_parameters(file.path, self.context, Path(private) / "closed.sock"))
            except (RuntimeError, ValueError) as error:
                raise EngineFailure(f"The model {file.path} could not be loaded: {error}") from None
        # First tokens now: they prove that the model works, and the first grammar takes 0.15 s to set up.
        self.generate(
            ChatRequest(file.id, [{"role": "user", "content": "Hi"}], max_tokens=4, schema={"type": "boolean"}),
            lambda *_: True,
        )

    def generate(self, request: ChatRequest, on_text: OnText, *, queue_ms: int = 0) -> CallUsage:
        """Answers `request`, giving the text piece by piece to `on_text`; returns the usage in all.

        Raises `ChatRequestError` for what the model cannot take and `EngineFailure` for what it failed at.
        """
        call = _Call(on_text, queue_ms, as_json=request.schema is not None and "stop" not in request.sampling)
        try:
            self._server.handle_chat_completions(self._body(request), call.on_chunk)
        except (ValueError, RuntimeError) as error:
            raise ChatRequestError(str(error)) from None
        if call.stopped:
            self._settle()
        usage = call.finish()
        if call.error is not None:
            raise call.error
        return usage

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body = {
            "messages": request.messages,
            "max_tokens": request.max_tokens,
            **request.sampling,
            "stream": True,
            "stream_options": {"include_usage": True},
            "timings_per_token": True,
            "return_progress": True,
            "cache_prompt": False,
        }
        if request.schema is not None:
            body["grammar"] = xllamacpp.json_schema_to_grammar({**request.schema, **_COMPACT})
        return body

    def _settle(self) -> None:
        """Waits until a cancelled request is off the machine: what it still uses is its own."""
        while "\nllamacpp:requests_processing 0" not in self._server.handle_metrics():
            time.sleep(0.005)


def _parameters(path: Path, context: int, closed_socket: Path) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context
    parameters.n_parallel = 1
    parameters.n_batch = parameters.n_ubatch = _BATCH
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.n_gpu_layers = 0
    parameters.fit_params = False
    # A cached prefix would make one customer's cost depend on another's request.
    parameters.cache_prompt = parameters.cache_idle_slots = False
    parameters.cache_ram_mib = 0
    parameters.hostnames = [str(closed_socket)]
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.n_threads_http = 1
    parameters.ui = parameters.endpoint_slots = False
    parameters.endpoint_metrics = True  # only reachable from within: it tells when a cancelled request is over
    parameters.verbosity = 0
    return parameters


class _Call:
    """Follows one call from chunk to chunk."""

    def __init__(self, on_text: OnText, queue_ms: int, *, as_json: bool) -> None:
        self._on_text = on_text
        self._as_json = as_json
        self._json = ""
        self._admitted_ns = time.process_time_ns()
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
            self.error = _error_from(chunk["error"])
            return True
        self._measure(chunk)
        text = ""
        for choice in chunk.get("choices", []):
            text += choice["delta"].get("content") or ""
            if choice.get("finish_reason"):
                self._usage = replace(self._usage, finish_reason=choice["finish_reason"])
        if self._as_json:
            self._check_json(text)
        if not self._on_text(text, self._usage):
            self._usage = replace(self._usage, finish_reason="cancelled")
            self.stopped = True
        return self.stopped

    def _measure(self, chunk: dict[str, Any]) -> None:
        timings, usage = chunk.get("timings"), chunk.get("usage")
        if timings:
            first = self._usage.first_token_ms
            if first is None and timings["predicted_n"]:
                first = round((time.monotonic() - self._admitted_at) * 1000)
            self._usage = replace(
                self._usage,
                input_tokens=timings["prompt_n"] + timings["cache_n"],
                cached_input_tokens=timings["cache_n"],
                output_tokens=timings["predicted_n"],
                prompt_ms=round(timings["prompt_ms"]),
                generation_ms=round(timings["predicted_ms"]),
                first_token_ms=first,
            )
        if usage:
            self._usage = replace(
                self._usage, input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"]
            )
        self._usage = replace(self._usage, compute_seconds=self._compute_seconds())

    def _check_json(self, text: str) -> None:
        self._json += text
        if self._json and self._json[0] not in '{["-0123456789tfn':
            raise ChatRequestError(_UNUSABLE_SCHEMA, param="response_format", code="schema_unsupported")
        if self._usage.finish_reason == "stop" and not text:
            try:
                json.loads(self._json)
            except ValueError:
                raise ChatRequestError(_UNUSABLE_SCHEMA, param="response_format", code="schema_unsupported") from None

    def _compute_seconds(self) -> Decimal:
        return seconds_from_nanoseconds(time.process_time_ns() - self._admitted_ns)

    def finish(self) -> CallUsage:
        return replace(self._usage, compute_seconds=self._compute_seconds())


def _error_from(error: dict[str, Any]) -> Exception:
    message, status = str(error.get("message", "the engine gave no reason")), error.get("code")
    if error.get("type") == "exceed_context_size_error":
        return ChatRequestError(message, param="messages", code="context_length_exceeded")
    if isinstance(status, int) and 400 <= status < 500:
        return ChatRequestError(message)
    return EngineFailure(message)
