"""A turn of a task, and what an agent does in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from taximeter import events as kinds
from taximeter.context import turn_variable
from taximeter.events import Exact, measured
from taximeter.fields import inference_fields, without_content
from taximeter.identity import shortened

if TYPE_CHECKING:
    from taximeter.task import Task


class Turn:
    """One accepted input through to one model response. Made by `Task.turn`, used in `with` or `async with`.

    A turn that an exception leaves counts if the model had answered, which is to say if anything was recorded
    in it. Where there is no block, such as in callbacks, call `end` yourself. A tool's result may still be
    recorded after the turn, as long as the task is open.
    """

    def __init__(self, task: Task, turn_id: str, *, initiator: str | None = None, channel: str | None = None) -> None:
        self.turn_id = turn_id
        self.task = task
        self._fields = {"initiator": initiator, "channel": channel}
        self._recorded = False
        self._stopwatch = task.meter.stopwatch()
        self._prefix = task.prefix(turn_id)
        # A turn id given again is a retry: its events go on counting where those of the first left off.
        self._places = task.places_of(turn_id)
        self._tokens: list[Token[Any]] = []

    @property
    def event(self) -> tuple[str, str]:
        """Source and id of the event that this turn is recorded as when it ends."""
        return self.task.meter.source, self.task.turn_event_id(self.turn_id)

    def inference(self, *, model: str, input_tokens: int | None, output_tokens: int | None, **fields: Any) -> str:
        """One request to a model; fields as in `taximeter.fields.inference_fields`. Returns its event's id."""
        try:
            data = inference_fields(model=model, input_tokens=input_tokens, output_tokens=output_tokens, **fields)
        except (TypeError, ValueError) as error:
            self.task.meter.misused(error)
            return ""
        return self._leaf(kinds.INFERENCE_CALL, "inference", data)

    def decision(
        self,
        kind: str,
        *,
        choice: str,
        options: Sequence[str] = (),
        probability: Exact | float | None = None,
        **fields: Any,
    ) -> str:
        """One committed choice that has an effect: a tool, a route, an approval. Returns its `decision_id`."""
        try:
            probable = measured(probability)
        except (TypeError, ValueError) as error:
            self.task.meter.misused(error)
            return ""
        data = {"kind": kind, "choice": choice, "options": list(options) or None, "probability": probable}
        decision_id = self._next_id("decision")
        with self.task.lock:
            self.task.decisions += 1
        return self._leaf(kinds.DECISION, "decision", {**data, "decision_id": decision_id, **fields}, id=decision_id)

    def tool_call(
        self,
        tool: str,
        *,
        error: str | None = None,
        decision_id: str | None = None,
        duration_ms: int | None = None,
        **fields: Any,
    ) -> str:
        """One execution of a tool. `error` names what went wrong, as a class or code, without content."""
        data = {"tool": tool, "error": error, "decision_id": decision_id, "duration_ms": duration_ms, **fields}
        return self._leaf(kinds.TOOL_CALL, "tool-call", data)

    def end(self, error: BaseException | None = None) -> None:
        """Records the turn, once; not where `error` left it before anything was recorded. For code without a block."""
        if error is not None and not self._recorded:
            return
        task = self.task
        with task.lock:
            if "turn" in self._places:
                return  # a retry of a turn that is recorded already
            self._places["turn"] = 1
            task.turns += 1
        now, duration_ms = self._stopwatch.read()
        data = {
            "turn_id": self.turn_id,
            **self._fields,
            "started_at": self._stopwatch.started_at,
            "duration_ms": duration_ms,
        }
        task.record(kinds.TURN, task.turn_event_id(self.turn_id), now, data)

    def _leaf(self, type: str, kind: str, data: dict[str, Any], *, id: str | None = None) -> str:
        task = self.task
        id = id or self._next_id(kind)
        if not task.meter.records_content:
            data = without_content(data)
        try:
            task.record(type, id, task.meter.clock(), {"turn_id": self.turn_id, **data})
        except (TypeError, ValueError, RecursionError) as error:
            task.meter.misused(error)
        self._recorded = True
        return id

    def _next_id(self, kind: str) -> str:
        with self.task.lock:
            place = self._places[kind] = self._places.get(kind, 0) + 1
        return shortened(f"{self._prefix}/{kind}-{place}")

    def __enter__(self) -> Turn:
        self._tokens.append(turn_variable.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tokens:
            with suppress(ValueError):  # entered in another context, as generators are
                turn_variable.reset(self._tokens.pop())
        if error is None or not self.task.closed:
            self.end(error)

    async def __aenter__(self) -> Turn:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
