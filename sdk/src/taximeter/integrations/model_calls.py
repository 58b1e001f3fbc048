"""One call of a model under way: which task and turn it belongs to, and its events, recorded once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from taximeter.context import current_task, current_turn
from taximeter.events import INFERENCE_CALL
from taximeter.fields import agent_fields
from taximeter.identity import event_id, new_event_id
from taximeter.meter import Meter
from taximeter.task import Task
from taximeter.turn import Turn

logger = logging.getLogger("taximeter")

#: Who a call outside of every task is for: a customer's key, or what tells it when asked.
Named = str | Callable[[], "str | None"] | None


@dataclass
class Reading:
    """What an answer says of itself, without what it says. None where it does not say."""

    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish_reason: str | None = None
    #: The tools the model asks for: (name, id of the call).
    tools: list[tuple[str, str | None]] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """The fields of an inference call, less the model."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_input_tokens": self.cached_input_tokens,
            "cache_write_input_tokens": self.cache_write_input_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "finish_reason": self.finish_reason,
        }


class ModelCall:
    """A call that has begun. One of `answered`, `failed` and `left` ends it; what comes after that does nothing.

    In a turn's block it is an inference call of that turn. In a task's block it is a turn of its own
    (`is_turn`), which counts if the model answered. Outside it stands alone, for `customer` and by `agent`.
    `is_metered_elsewhere` leaves the inference call out, and not the turn: the server that answers records it.
    Nothing here raises: an answer that is paid for is not lost because it could not be recorded.
    """

    def __init__(
        self,
        meter: Meter,
        *,
        model: str,
        operation: str = "chat",
        provider: str | None = None,
        customer: Named = None,
        agent: Named = None,
        is_turn: bool = True,
        is_metered_elsewhere: bool = False,
        task: Task | None = None,
        turn: Turn | None = None,
    ) -> None:
        self.meter = meter
        self.is_metered_elsewhere = is_metered_elsewhere
        self.customer = customer
        self.agent = agent
        self.task = task or current_task()
        self.turn = turn if task else current_turn()
        self._owns_turn = False
        if is_turn and self.turn is None and self.task and not self.task.closed and self.task.outcome is None:
            self.turn, self._owns_turn = self.task.turn(), True
        self._id = new_event_id()
        self._model = model
        self._fields = {"operation": operation, "provider": provider}
        self._stopwatch = meter.stopwatch()
        self._lock = threading.Lock()
        self._is_over = False

    def answered(self, reading: Reading, *, options: Sequence[str] | None = None) -> list[str]:
        """The model answered. With `options`, the tools it could have asked for, those it did ask for are decisions.

        Returns the decisions' ids, in the order of `reading.tools`.
        """
        return self._ended(lambda: self._record_answer(reading, options)) or []

    def failed(self, error: BaseException, reading: Reading | None = None) -> None:
        """The call ended with `error`, after a part of the answer where there is a `reading`."""
        is_cancelled = not isinstance(error, Exception) or type(error).__name__ in {"CancelledError", "GeneratorExit"}
        reason = "cancelled" if is_cancelled else "error"
        name = None if is_cancelled else type(error).__name__
        self._ended(lambda: self._record_failure(reason, name, reading, error))

    def left(self, reading: Reading | None = None) -> None:
        """Nobody wants the rest of the answer. Its tokens are known only if the server had told them."""
        self._ended(lambda: self._record_failure("cancelled", None, reading, GeneratorExit()))

    def _ended(self, record: Callable[[], Any]) -> Any:
        with self._lock:
            if self._is_over:
                return None
            self._is_over = True
        try:
            return record()
        except Exception:
            logger.exception("a call of %s could not be recorded", self._model)
            return None

    def _record_answer(self, reading: Reading, options: Sequence[str] | None) -> list[str]:
        self._record_call({**reading.fields(), "model": reading.model or self._model}, in_turn=True)
        decisions: list[str] = []
        if self.turn is not None and not self.turn.task.closed:
            if options is not None:
                for name, call_id in reading.tools:
                    more = {"tool_call_id": call_id}
                    decisions.append(self.turn.decision("tool", choice=name, options=options, **more))
            if self._owns_turn:
                self.turn.end()
        return decisions

    def _record_failure(self, reason: str, error: str | None, reading: Reading | None, cause: BaseException) -> None:
        """A call that did not end well; a turn only if the model had begun to answer."""
        told = reading or Reading()
        data = {**told.fields(), "finish_reason": reason, "error": error, "model": told.model or self._model}
        self._record_call(data, in_turn=reading is not None)
        if self._owns_turn and self.turn is not None and not self.turn.task.closed:
            self.turn.end(None if reading is not None else cause)

    def _record_call(self, data: dict[str, Any], *, in_turn: bool) -> None:
        if self.is_metered_elsewhere:
            return
        now, duration_ms = self._stopwatch.read()
        data = {**self._fields, **data, "started_at": self._stopwatch.started_at, "duration_ms": duration_ms}
        if in_turn and self.turn is not None and not self.turn.task.closed:
            self.turn.inference(**data)
        elif self.task is not None and not self.task.closed:
            self.task.record(INFERENCE_CALL, event_id(self.task.task_id, "call", self._id), now, data)
        else:
            self._record_alone(data)

    def _record_alone(self, data: dict[str, Any]) -> None:
        """Outside of a task, or of one that has ended meanwhile, as where its stream is read on after it."""
        subscription = None
        if self.task is not None:
            customer: str | None = self.task.customer
            subscription = self.task.subscription
            data = {**self.task.fields, **data}
        else:
            customer, agent = asked(self.customer), asked(self.agent)
            data = {**(agent_fields(agent) if agent else {}), **data}
        self.meter.record(INFERENCE_CALL, customer, data, id=event_id("call", self._id), subscription=subscription)


def asked(name: Named) -> str | None:
    """The name, asked for where it is a function."""
    return name() if callable(name) else name
