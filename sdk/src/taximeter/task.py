"""A task with its turns: what happens in them is kept here until the task ends."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from taximeter import events as kinds
from taximeter.errors import DeliveryError, OutcomeError
from taximeter.events import Event, Exact, build_event, measured, milliseconds
from taximeter.fields import inference_fields
from taximeter.identity import event_id

if TYPE_CHECKING:
    from taximeter.meter import Meter

logger = logging.getLogger("taximeter")


class Task:
    """A goal given to an agent, with one terminal outcome. Made by `Meter.task`, used in a `with` block.

    All its events are sent as one batch when the block is left. An exception ends the task as failed and
    is raised on; `KeyboardInterrupt` and its like send nothing, as though the process had been killed.
    """

    def __init__(self, *, meter: Meter, goal: str, customer: str, fields: dict[str, Any], attempt: int) -> None:
        self.task_id: str = fields["task_id"]
        self.goal = goal
        self.customer = customer
        self.outcome: str | None = None
        self.outcome_source: str | None = None
        self.turns = 0
        self.decisions = 0
        self._meter = meter
        self._fields = fields
        self._scope = [self.task_id] if attempt == 1 else [self.task_id, f"attempt-{attempt}"]
        self._events: list[Event] = []
        self._places: Counter[str] = Counter()
        self._closed = False
        self._started_at = meter.clock()

    def turn(self, turn_id: str | None = None, *, initiator: str | None = None, channel: str | None = None) -> Turn:
        """The next turn, for a `with` block. A `turn_id` given again is a retry of that turn, not another one."""
        if self._closed or self.outcome is not None:
            raise OutcomeError(f"task {self.task_id} has ended; it can take no further turn")
        if turn_id is None:
            self._places["turn"] += 1
            turn_id = event_id(*self._scope, f"turn-{self._places['turn']}")
        return Turn(self, turn_id, {"initiator": initiator, "channel": channel})

    def succeed(self, *, source: str = "agent") -> None:
        """The goal was reached. `source` is who says so: `agent`, `check`, `person` or `customer`."""
        self._end("succeeded", source)

    def fail(self, *, source: str = "agent") -> None:
        """The goal was not reached."""
        self._end("failed", source)

    def escalate(self, *, source: str = "agent") -> None:
        """The task was handed over to somebody else."""
        self._end("escalated", source)

    def cancel(self, *, source: str = "agent") -> None:
        """The task was called off."""
        self._end("cancelled", source)

    def discard(self) -> None:
        """Forgets the task: nothing is sent and its id is free again. For when the platform failed, not the agent."""
        self._closed = True
        self._events.clear()

    def close(self) -> None:
        """Ends the task, as failed where no outcome was said, and sends its events. Further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        now = self._meter.clock()
        data = {
            "goal": self.goal,
            "outcome": self.outcome or "failed",
            "outcome_source": self.outcome_source or "agent",
            "turns": self.turns,
            "decisions": self.decisions,
            "started_at": self._started_at,
            "duration_ms": milliseconds(now - self._started_at),
        }
        self._append(kinds.TASK, event_id(self.task_id, "task"), now, data)
        self._meter.send(self._events)

    def __enter__(self) -> Task:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        if not isinstance(error, Exception):
            self.discard()
        if self._closed:
            return
        if self.outcome is None:
            self.fail()
        try:
            self.close()
        except DeliveryError:
            logger.exception("the events of task %s were not delivered", self.task_id)

    def _end(self, outcome: str, source: str) -> None:
        if self.outcome is not None:
            raise OutcomeError(f"task {self.task_id} has already {self.outcome}; an outcome is said once")
        self.outcome, self.outcome_source = outcome, source

    def _append(self, type: str, id: str, time: datetime, data: dict[str, Any]) -> None:
        self._events.append(
            build_event(
                id=id,
                source=self._meter.source,
                type=type,
                time=time,
                customer=self.customer,
                data={**self._fields, **data},
            )
        )

    def _place(self, turn_id: str, kind: str) -> str:
        """The id of the next event of `kind` in a turn. Retries of the turn go on counting."""
        self._places[f"{turn_id}/{kind}"] += 1
        within = [] if turn_id.startswith(f"{self.task_id}/") else self._scope
        return event_id(*within, turn_id, f"{kind}-{self._places[f'{turn_id}/{kind}']}")


class Turn:
    """One accepted input through to one model response. Made by `Task.turn`, used in a `with` block.

    A turn that an exception leaves counts if the model had answered, which is to say if anything was
    recorded in it.
    """

    def __init__(self, task: Task, turn_id: str, fields: dict[str, Any]) -> None:
        self.turn_id = turn_id
        self._task = task
        self._fields = fields
        self._recorded = False
        self._started_at = task._meter.clock()

    def inference(self, *, model: str, input_tokens: int, output_tokens: int, **fields: Any) -> str:
        """One request to a model; fields as in `taximeter.fields.inference_fields`. Returns its event's id."""
        data = inference_fields(model=model, input_tokens=input_tokens, output_tokens=output_tokens, **fields)
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
        decision_id = self._task._place(self.turn_id, "decision")
        data = {"kind": kind, "choice": choice, "options": list(options) or None, "probability": measured(probability)}
        self._task.decisions += 1
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

    def _leaf(self, type: str, kind: str, data: dict[str, Any], *, id: str | None = None) -> str:
        id = id or self._task._place(self.turn_id, kind)
        self._recorded = True
        self._task._append(type, id, self._task._meter.clock(), {"turn_id": self.turn_id, **data})
        return id

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self._recorded:
            return
        task = self._task
        if task._places[f"{self.turn_id}/turn"]:
            return  # a retry of a turn that is recorded already
        task._places[f"{self.turn_id}/turn"] += 1
        task.turns += 1
        now = task._meter.clock()
        within = [] if self.turn_id.startswith(f"{task.task_id}/") else [*task._scope, "turn"]
        data = {
            "turn_id": self.turn_id,
            **self._fields,
            "started_at": self._started_at,
            "duration_ms": milliseconds(now - self._started_at),
        }
        task._append(kinds.TURN, event_id(*within, self.turn_id), now, data)
