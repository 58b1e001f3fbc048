"""The one place that speaks to xllamacpp (llama.cpp): loading a model, and asking it.

Facts this rests on, each measured with the pinned version:
- a model loaded before a fork hangs in the child, so it is loaded in the process that serves;
- every `Server` opens an HTTP port, a way around the meter; here it is a socket in a private directory
  that is removed as soon as it exists, behind a random key;
- a `Server` that never answered can hang when it is deleted, so each answers once when it is loaded;
- only a streaming call can be cancelled (the callback answers True), and even then the batch being
  worked on is finished, which is waited for and counted;
- a grammar that the engine cannot use is dropped in silence and the answer is free text, so what comes out
  under one is checked;
- with more than one thread the threads spin while they wait, and processor time varies by a third.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.domain import grammar
from inference.domain.apportionment import Apportionment, UnitCosts
from inference.domain.compute import CallUsage, seconds_from_nanoseconds
from inference.domain.requests import Generation, RequestError
from inference.engine.call import EngineFailure, OnText, RunningCall, error_from
from inference.engine.config import EngineConfig
from inference.engine.model_file import ModelFile
from inference.engine.openmp import provide_openmp
from kernel.redaction import without_paths

provide_openmp()
import xllamacpp  # noqa: E402 - needs the line above where the system has no OpenMP

_FLASH = {
    "auto": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
#: Grammars whose use was proved, so that each is proved once.
_MOST_PROVED = 256
#: Texts that become vectors before it is asked again whether somebody waits for them.
_TEXTS_AT_ONCE, _CHARACTERS_AT_ONCE = 16, 4000
#: How long the callbacks of one batch take to come in, where requests are worked on side by side.
_SAME_BATCH_SECONDS = 0.01

_Callback = Callable[[dict[str, Any]], bool]


class LlamaModel:
    """One loaded model. At most `config.slots` threads may use it at once; admission sees to that."""

    def __init__(self, file: ModelFile, path: Path, *, config: EngineConfig, pool: Apportionment) -> None:
        """Loads the bytes at `path`, which are those of `file`; raises `EngineFailure`."""
        self.file = file
        self.context = min(config.context, file.metadata.context_length or config.context)
        self._slots = config.slots
        self._pool = pool
        self._costs = UnitCosts()
        self._proved: dict[str, None] = {}
        self._active = 0
        with tempfile.TemporaryDirectory(prefix="taximeter-engine-") as private:
            parameters = parameters_of(file, path, self.context, config)
            parameters.hostnames = [str(Path(private) / "closed.sock")]
            try:
                self._server = xllamacpp.Server(parameters)
            except (RuntimeError, ValueError) as error:
                raise EngineFailure(
                    f"The model {file.path.name} could not be loaded: {without_paths(str(error))}"
                ) from None
        self._warm_up()

    def _warm_up(self) -> None:
        """First tokens now: they prove that the model works, and the first grammar takes 0.15 s to set up."""
        yes_or_no = grammar.json_of({"type": "boolean"})
        self.generate(Generation(4, prompt="Hi", grammar=yes_or_no, is_json=True), lambda *_: True)
        if self._slots > 1:
            self._calibrate()

    def _calibrate(self) -> None:
        """Measures what a token takes to read and to write; only their relation matters, and only side by side."""
        words = ("the quick brown fox jumps over the lazy dog " * 40)[: 4 * min(self.context // 2, 160)]
        read = self.generate(Generation(1, prompt=words), lambda *_: True)
        written = self.generate(Generation(24, prompt="Once"), lambda *_: True)
        prompt = float(read.compute_seconds) / max(1, read.input_tokens)
        output = (float(written.compute_seconds) - prompt * written.input_tokens) / max(1, written.output_tokens)
        self._costs = UnitCosts(prompt=prompt, output=max(prompt, output))

    def generate(self, wanted: Generation, on_text: OnText, *, queue_ms: int = 0) -> CallUsage:
        """Generates, giving the text piece by piece to `on_text`; returns the usage in all.

        Raises `RequestError` for what the model cannot take and `EngineFailure` for what it failed at.
        """
        checks_json = wanted.is_json and "stop" not in wanted.sampling
        call = RunningCall(on_text, queue_ms, self._pool, self._costs, checks_json=checks_json)
        self._active += 1
        try:
            if wanted.starts_call and wanted.grammar is not None:
                self._prove(wanted.grammar)
            self._ask(wanted, call.on_chunk)
        except (ValueError, RuntimeError) as error:
            call.error = call.error or RequestError(str(error))
        finally:
            if call.stopped:
                self._settle()
            self._active -= 1
            self._catch_up()
            usage = call.finish()
        if call.error is not None:
            raise call.error
        return usage

    def embed(
        self, inputs: Sequence[str], goes_on: Callable[[CallUsage], bool], *, queue_ms: int = 0
    ) -> tuple[list[list[float]], CallUsage]:
        """A vector for each of `inputs`, and the usage of them all; raises as `generate` does.

        They are worked on some at a time, since what the engine is at cannot be called off; between them `goes_on` is
        asked with the usage up to then. Where it does not, the vectors made so far are given, as `cancelled`.
        """
        if not self.file.metadata.pooling:
            raise RequestError(
                f"The model '{self.file.id}' makes no embeddings: its file names no way of pooling",
                param="model",
                code="embeddings_unsupported",
            )
        share = self._pool.begin(self._costs, at=time.process_time_ns())
        began, tokens = time.monotonic(), 0
        vectors: list[list[float]] = []

        def usage(spent: int, finish_reason: str) -> CallUsage:
            return CallUsage(
                input_tokens=tokens,
                compute_seconds=seconds_from_nanoseconds(spent),
                queue_ms=queue_ms,
                prompt_ms=round((time.monotonic() - began) * 1000),
                finish_reason=finish_reason,
            )

        finish_reason = "stop"
        try:
            for some in _some_at_a_time(inputs):
                made, read = self._vectors(some)
                vectors, tokens = vectors + made, tokens + read
                spent = self._pool.advance(share, prompt_tokens=tokens, output_tokens=0, at=time.process_time_ns())
                if len(vectors) < len(inputs) and not goes_on(usage(spent, "")):
                    finish_reason = "cancelled"
                    break
        finally:
            self._catch_up()
            spent = self._pool.end(share, at=time.process_time_ns())
        return vectors, usage(spent, finish_reason)

    def _vectors(self, inputs: Sequence[str]) -> tuple[list[list[float]], int]:
        """Vectors and the tokens read."""
        try:
            answer = self._server.handle_embeddings({"input": list(inputs)})
        except (ValueError, RuntimeError) as error:
            raise RequestError(str(error)) from None
        if "error" in answer:
            raise error_from(answer["error"])
        return [item["embedding"] for item in answer["data"]], answer.get("usage", {}).get("prompt_tokens", 0)

    def _ask(self, wanted: Generation, on_chunk: _Callback) -> None:
        body: dict[str, Any] = {
            "max_tokens": wanted.max_tokens,
            **wanted.sampling,
            "stream": True,
            "stream_options": {"include_usage": True},
            "timings_per_token": True,
            "return_progress": True,
            "cache_prompt": False,
        }
        if wanted.grammar is not None:
            body["grammar"] = wanted.grammar
        if wanted.prompt is None:
            self._server.handle_chat_completions({**body, "messages": _plain(wanted.messages)}, on_chunk)
        else:
            self._server.handle_completions({**body, "prompt": wanted.prompt}, on_chunk)

    def _prove(self, calls: str) -> None:
        """Raises where the engine would drop `calls` in silence: a call must be possible under it.

        Where free text is possible too, the first character is asked for under the call alone.
        """
        if calls in self._proved:
            return
        seen: list[str] = []

        def on_chunk(chunk: dict[str, Any]) -> bool:
            seen.extend(str(choice.get("text") or "") for choice in chunk.get("choices", []))
            return False

        self._ask(Generation(2, prompt="a", grammar=calls.replace("start: call | text\n", "start: call\n")), on_chunk)
        if not "".join(seen).startswith("{"):
            raise RequestError(
                "The tools' parameters cannot be turned into a grammar; simplify them",
                param="tools",
                code="schema_unsupported",
            )
        if len(self._proved) >= _MOST_PROVED:
            self._proved.pop(next(iter(self._proved)))
        self._proved[calls] = None

    def _settle(self) -> None:
        """Waits until a cancelled request is off the machine: what it still uses is its own."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            line = next(row for row in self._server.handle_metrics().splitlines() if row.startswith(_PROCESSING))
            if float(line.rsplit(" ", 1)[1]) < self._active:
                return
            time.sleep(0.005)

    def _catch_up(self) -> None:
        """Lets the others' callbacks of the same batch come in, before the batch is paid for."""
        if self._pool.running > 1:
            time.sleep(_SAME_BATCH_SECONDS)


def _some_at_a_time(inputs: Sequence[str]) -> Iterator[Sequence[str]]:
    """So few of the texts that they are done soon; a long one by itself."""
    some: list[str] = []
    for text in inputs:
        if some and (len(some) == _TEXTS_AT_ONCE or sum(map(len, some)) + len(text) > _CHARACTERS_AT_ONCE):
            yield some
            some = []
        some.append(text)
    if some:
        yield some


_PROCESSING = "llamacpp:requests_processing "


def _plain(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [dict(message) for message in messages]


def parameters_of(file: ModelFile, path: Path, context: int, config: EngineConfig) -> Any:
    """How llama.cpp is set up for the model in the file at `path`."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context * config.slots
    parameters.n_parallel = config.slots
    parameters.n_batch = parameters.n_ubatch = config.batch
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = config.threads
    parameters.flash_attn_type = _FLASH[config.flash_attention]
    kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{config.cache_type.upper()}")
    parameters.cache_type_k = parameters.cache_type_v = kind
    parameters.n_gpu_layers = 0
    parameters.fit_params = False
    if file.metadata.pooling:
        parameters.embedding = True
        parameters.pooling_type = xllamacpp.llama_pooling_type(file.metadata.pooling)
        # A text to embed is worked on in one batch.
        parameters.n_batch = parameters.n_ubatch = max(config.batch, context)
    # A cached prefix would make one customer's cost depend on another's request.
    parameters.cache_prompt = parameters.cache_idle_slots = False
    parameters.cache_ram_mib = 0
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.n_threads_http = 1
    parameters.ui = parameters.endpoint_slots = False
    parameters.endpoint_metrics = True  # only reachable from within: it tells when a cancelled request is over
    parameters.verbosity = 0
    return parameters
