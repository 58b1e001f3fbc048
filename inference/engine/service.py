"""What the engine does with a request, whatever brought it: admit, load, generate, account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from inference.domain.apportionment import Apportionment
from inference.domain.completions import EmbeddingRequest
from inference.domain.compute import CallUsage, energy_estimate
from inference.domain.requests import TextRequest
from inference.engine.admission import Admission, Ticket
from inference.engine.catalogue import Catalogue, Entry
from inference.engine.config import EngineConfig
from inference.engine.llama import LlamaModel
from inference.engine.metrics import Metrics
from inference.engine.pool import ModelPool
from inference.engine.spool import Spool
from kernel.clock import system_clock, to_rfc3339
from kernel.errors import TaximeterError


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `customer` is whose turn it is, `call` what its event is to say besides the account (empty for
    a call that nobody records), `gone` whether nobody waits for the answer any more."""

    request_id: str
    gone: Callable[[], bool]
    customer: str = ""
    call: Mapping[str, Any] = field(default_factory=dict)


class EngineService:
    """The models, the line of requests, and the requests that can be called off."""

    def __init__(self, config: EngineConfig, catalogue: Catalogue) -> None:
        self.config = config
        self.catalogue = catalogue
        self._apportionment = Apportionment()
        self.pool = ModelPool(config, catalogue, self._apportionment)
        self.line = Admission(slots=config.slots, limit=config.queue_limit, longest_wait=config.queue_seconds)
        self.metrics = Metrics()
        self.spool = Spool(config.spool) if config.spool else None
        self._called_off: dict[str, threading.Event] = {}
        self._stopping = threading.Event()
        self.started_at = int(time.time())

    def answer(
        self, request: TextRequest, on_text: Callable[[str, CallUsage, Entry], None], *, caller: Caller
    ) -> tuple[CallUsage, Entry]:
        """Answers `request`, piece by piece to `on_text`; returns the usage in all, also where it was cut off.

        It stops where the client left, on `call_off(request_id)`, when it takes too long and when the process
        stops.
        """
        with self._admitted(request.model, caller) as admitted:
            if admitted is None:
                return CallUsage(finish_reason="cancelled"), self.catalogue.find(request.model)
            stop = _Stop(self, caller, admitted.entry)

            def go_on(text: str, usage: CallUsage) -> bool:
                on_text(text, usage, admitted.entry)
                return stop.goes_on(usage)

            usage = admitted.model.generate(request.generation, go_on, queue_ms=admitted.queue_ms)
            usage = replace(usage, finish_reason=stop.cut) if stop.cut else usage
            return self._finished(admitted, usage, caller), admitted.entry

    def embed(
        self, request: EmbeddingRequest, on_progress: Callable[[], None], *, caller: Caller
    ) -> tuple[list[list[float]], CallUsage, Entry]:
        """A vector for each input, and what they took together. It stops where `answer` does, with those made so far
        and a finish reason that is not `stop`; `on_progress` is called again and again until then."""
        with self._admitted(request.model, caller) as admitted:
            if admitted is None:
                return [], CallUsage(finish_reason="cancelled"), self.catalogue.find(request.model)
            stop = _Stop(self, caller, admitted.entry)

            def goes_on(usage: CallUsage) -> bool:
                on_progress()
                return stop.goes_on(usage)

            vectors, usage = admitted.model.embed(request.inputs, goes_on, queue_ms=admitted.queue_ms)
            usage = replace(usage, finish_reason=stop.cut) if stop.cut else usage
            return vectors, self._finished(admitted, usage, caller), admitted.entry

    @contextmanager
    def _admitted(self, model: str, caller: Caller) -> Iterator[_Admitted | None]:
        """In turn and with the model in memory; None where nobody waits any more."""
        entry = self.catalogue.find(model)
        self._called_off.setdefault(caller.request_id, threading.Event())
        arrived = time.monotonic()
        try:
            with self.line.turn(
                caller.customer,
                alone=lambda: not self.pool.is_loaded(entry.digest),
                gone=lambda: self.is_over(caller),
            ) as ticket:
                if ticket is None:
                    yield None
                    return
                entry = self.catalogue.find(entry.digest)  # it may have been recalled while this one waited
                with self.pool.use(entry) as loaded:
                    self.line.begun(ticket)
                    yield _Admitted(ticket, entry, loaded, round((time.monotonic() - arrived) * 1000))
        except TaximeterError as error:
            self.metrics.refused(error.code)
            if self.spool is not None:
                self.spool.forget(caller.request_id)
            raise
        finally:
            self._called_off.pop(caller.request_id, None)

    def _finished(self, admitted: _Admitted, usage: CallUsage, caller: Caller) -> CallUsage:
        usage = replace(usage, finished_at=to_rfc3339(system_clock()))
        self.line.settle(admitted.ticket, float(usage.compute_seconds))
        self.metrics.finished(admitted.entry.id, usage)
        if self.spool is not None and caller.call and usage.input_tokens:
            self.spool.finish(caller.request_id, caller.call, self.account(usage, admitted.entry))
        return usage

    def is_over(self, caller: Caller) -> bool:
        called_off = self._called_off.get(caller.request_id)
        return (called_off is not None and called_off.is_set()) or self._stopping.is_set() or caller.gone()

    def call_off(self, request_id: str) -> bool:
        """Ends a request early; its answer still ends with what it used. False where there is no such request."""
        called_off = self._called_off.get(request_id)
        if called_off is not None:
            called_off.set()
        return called_off is not None

    def load(self, name: str) -> Entry:
        """Loads a model now, in turn; raises as `answer` does."""
        with self._admitted(name, Caller(f"load {name}", gone=lambda: False)):
            return self.catalogue.find(name)

    def unload(self, name: str) -> bool:
        """Unloads a model once it is idle; False where it was not loaded."""
        return self.pool.drain(self.catalogue.find(name).digest)

    def replace_catalogue(self, entries: list[Entry]) -> None:
        """What may be loaded from now on; what may not any more is drained."""
        self.catalogue.replace(entries)
        self.pool.keep_to(self.catalogue)

    def stop(self) -> None:
        """Calls off all requests; what they used by then is answered."""
        self._stopping.set()

    def account(self, usage: CallUsage, entry: Entry) -> dict[str, Any]:
        """The `taximeter` block of an answer: the usage, the model and the hardware."""
        account = {
            **usage.as_json(),
            "model": entry.id,
            "model_digest": entry.digest,
            "architecture": entry.file.metadata.architecture,
            "quantization": entry.file.metadata.quantization,
            "hardware": self.config.hardware,
        }
        if self.config.watts:
            joules = energy_estimate(usage.compute_seconds, watts=self.config.watts)
            account["estimated_energy_joules"] = format(joules, "f")
        return account


@dataclass(frozen=True, slots=True)
class _Admitted:
    ticket: Ticket
    entry: Entry
    model: LlamaModel
    queue_ms: int


class _Stop:
    """Whether a request that is worked on goes on, asked with what it has used by then; `cut` says what ended it if
    that was its time. What it has used is kept with the spool from time to time."""

    def __init__(self, service: EngineService, caller: Caller, entry: Entry) -> None:
        self._service, self._caller, self._entry = service, caller, entry
        self._deadline = time.monotonic() + service.config.request_seconds
        self.cut = ""

    def goes_on(self, usage: CallUsage) -> bool:
        service, caller = self._service, self._caller
        if service.spool is not None and caller.call and service.spool.is_due(caller.request_id):
            service.spool.note(caller.request_id, caller.call, service.account(usage, self._entry))
        self.cut = "timed_out" if time.monotonic() > self._deadline else self.cut
        return not (self.cut or service.is_over(caller))
