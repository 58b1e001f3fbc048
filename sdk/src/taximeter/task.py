"""A task: what an agent was asked to do for a customer, with one outcome at its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, MutableMapping
from contextvars import Token
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from taximeter import events as kinds
from taximeter.context import task_variable, turn_variable
from taximeter.errors import OutcomeError
from taximeter.events import Event, build_event
from taximeter.identity import event_id, shortened
from taximeter.propagation import carrier_of
from taximeter.turn import Turn

if TYPE_CHECKING:
    from taximeter.meter import Meter

logger = logging.getLogger("taximeter")

#: Among so many last turns of a task, one that is named again is known to be a retry.
_TURNS_REMEMBERED = 1000
#: What is called off, not failed: a cancelled asyncio task, a generator nobody reads on.
_CANCELLATIONS = (asyncio.CancelledError, GeneratorExit)


class Task:
    """A goal given to an agent, with one terminal outcome. Made by `Meter.task`, used in `with` or `async with`.

    When its events leave depends on the transport (`Meter.holds_tasks`): one by one as they are recorded, or all
    as one batch when the block is left. What leaves the block decides how the task ends:

    - nothing: as the outcome that was said, `failed` where none was
    - an exception: `failed`, and it is raised on
    - `asyncio.CancelledError` or `GeneratorExit`: `cancelled`, and it is raised on
    - `KeyboardInterrupt`, `SystemExit`: nothing is said of the task, as though the process had been killed; its
      work can be taken up again, as another attempt

    Safe to use from several threads.
    """

    def __init__(
        self,
        *,
        meter: Meter,
        goal: str,
        customer: str,
        fields: Mapping[str, Any],
        attempt: int = 1,
        scope: tuple[str, ...] | None = None,
        ends: bool = True,
        started_at: datetime | None = None,
        turns: int = 0,
        decisions: int = 0,
        subscription: str | None = None,
    ) -> None:
        self.task_id: str = fields["task_id"]
        self.goal = goal
        self.customer = customer
        self.subscription = subscription
        self.attempt = attempt
        self.fields = fields
        self.meter = meter
        self.outcome: str | None = None
        self.outcome_source: str | None = None
        self.turns = turns
        self.decisions = decisions
        #: Whether this process ends the task; a process that only takes part does not.
        self.ends = ends
        #: Guards counters: a task may be worked by several threads.
        self.lock = threading.RLock()
        self._places: dict[str, dict[str, int]] = {}
        self._scope = scope or ((self.task_id,) if attempt == 1 else (self.task_id, f"attempt-{attempt}"))
        self._held: list[Event] | None = [] if meter.holds_tasks else None
        self._turns_begun = 0
        self._parts = 0
        self._is_closed = False
        self._stopwatch = meter.stopwatch(started_at)
        self._tokens: list[tuple[Token[Any], Token[Any]]] = []

    @property
    def closed(self) -> bool:
        """Whether the task has ended here: nothing more can be recorded in it."""
        return self._is_closed

    @property
    def started_at(self) -> datetime:
        return self._stopwatch.started_at

    def turn(self, turn_id: str | None = None, *, initiator: str | None = None, channel: str | None = None) -> Turn:
        """The next turn, for a `with` block. A `turn_id` given again is a retry of that turn, not another one.

        `initiator` is who began it (`human`, `schedule`, `agent`), `channel` where it came in.
        """
        if self._is_closed or self.outcome is not None:
            self.meter.misused(OutcomeError(f"task {self.task_id} has ended; it can take no further turn"))
        if turn_id is None:
            with self.lock:
                self._turns_begun += 1
                turn_id = shortened("/".join((*self._scope, f"turn-{self._turns_begun}")))
        return Turn(self, turn_id, initiator=initiator, channel=channel)

    def succeed(self, *, source: str = "agent") -> None:
        """The goal was reached. `source` is who says so: `agent`, `check`, `person` or `customer`."""
        self.end("succeeded", source=source)

    def fail(self, *, source: str = "agent") -> None:
        """The goal was not reached."""
        self.end("failed", source=source)

    def escalate(self, *, source: str = "agent") -> None:
        """The task was handed over to a person."""
        self.end("escalated", source=source)

    def cancel(self, *, source: str = "agent") -> None:
        """The task was called off."""
        self.end("cancelled", source=source)

    def time_out(self, *, source: str = "agent") -> None:
        """The task ran out of the time it was given."""
        self.end("timed_out", source=source)

    def block(self, *, source: str = "agent") -> None:
        """The task was stopped before it ran, by a policy or a budget."""
        self.end("blocked", source=source)

    def end(self, outcome: str, *, source: str = "agent") -> None:
        """Says the outcome by its name, one of `taximeter.events.OUTCOMES`; another word is an `OutcomeError`.

        It is said once; it leaves when the block is left or `close` is called.
        """
        with self.lock:
            if not self.ends:
                problem = f"task {self.task_id} is ended by the process that began it, or that it was handed over to"
            elif self.outcome is not None:
                problem = f"task {self.task_id} has already {self.outcome}; an outcome is said once"
            elif self._is_closed:
                problem = f"task {self.task_id} has ended"
            elif outcome not in kinds.OUTCOMES:
                problem = f"{outcome!r:.80} is not an outcome. Use one of {', '.join(kinds.OUTCOMES)}."
            else:
                self.outcome, self.outcome_source = outcome, source
                return
        self.meter.misused(OutcomeError(problem))

    def discard(self) -> None:
        """Leaves the task without an outcome. For when the platform failed, not the agent.

        Where tasks are held, nothing was sent and the id is free again. Where events leave one by one, what
        was recorded stays; work the task again as another `attempt`.
        """
        with self.lock:
            self._is_closed = True
            if self._held:
                self._held.clear()

    def inject(self, carrier: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
        """Headers (`traceparent`, `baggage`) with which another process takes part: see `Meter.continue_task`.

        The other process records turns in this task; this one ends it. `carrier` is added to and returned.
        """
        return carrier_of(self, carrier, part=self._next_part(), hands_over=False)

    def hand_over(self, carrier: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
        """The same, and the task's end goes along: whoever continues it says its outcome, here it only stops."""
        headers = carrier_of(self, carrier, part=self._next_part(), hands_over=True)
        self.ends = False
        return headers

    def close(self) -> None:
        """Ends the task, as failed where no outcome was said. Further calls do nothing."""
        with self.lock:
            if self._is_closed:
                return
            if self.ends:
                now, duration_ms = self._stopwatch.read()
                data = {
                    "goal": self.goal,
                    "outcome": self.outcome or "failed",
                    "outcome_source": self.outcome_source or "agent",
                    "turns": self.turns,
                    "decisions": self.decisions,
                    "started_at": self._stopwatch.started_at,
                    "duration_ms": duration_ms,
                }
                try:
                    self.record(kinds.TASK, event_id(self.task_id, "task"), now, data)
                finally:
                    self._is_closed = True
            self._is_closed = True
            held, self._held = self._held, None
        if held:
            self.meter.send(held)

    def record(self, type: str, id: str, time: datetime, data: Mapping[str, Any]) -> bool:
        """One event of this task. Whether it could be: after the end it cannot."""
        if self._is_closed:
            self.meter.misused(OutcomeError(f"task {self.task_id} has ended; nothing more can be recorded in it"))
            return False
        event = build_event(
            id=id,
            source=self.meter.source,
            type=type,
            time=time,
            customer=self.customer,
            data={**self.fields, **data},
            subscription=self.subscription,
        )
        if self._held is None:
            self.meter.send([event])
        else:
            self._held.append(event)
        return True

    def places_of(self, turn_id: str) -> dict[str, int]:
        """How many events of each kind a turn has. Remembered for the last turns, so that long tasks stay small."""
        with self.lock:
            places = self._places[turn_id] = self._places.pop(turn_id, {})
            if len(self._places) > _TURNS_REMEMBERED:
                del self._places[next(iter(self._places))]
        return places

    def prefix(self, turn_id: str) -> str:
        """What the ids of a turn's events begin with."""
        return turn_id if turn_id.startswith(f"{self.task_id}/") else "/".join((*self._scope, turn_id))

    def turn_event_id(self, turn_id: str) -> str:
        """The id of a turn's own event."""
        return turn_id if turn_id.startswith(f"{self.task_id}/") else event_id(*self._scope, "turn", turn_id)

    def __enter__(self) -> Task:
        self._tokens.append((task_variable.set(self), turn_variable.set(None)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_context()
        if error is None:
            self.close()
            return
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self.discard()
        if self._is_closed:
            return
        if self.ends and self.outcome is None:
            self.end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed")
        try:
            self.close()
        except Exception:  # what went wrong in the agent is what it must see
            logger.exception("the events of task %s were not delivered", self.task_id)

    async def __aenter__(self) -> Task:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _leave_context(self) -> None:
        if not self._tokens:
            return
        task_token, turn_token = self._tokens.pop()
        try:
            turn_variable.reset(turn_token)
            task_variable.reset(task_token)
        except ValueError:
            pass  # entered in another context, as generators are: there is nothing of ours in this one

    def _next_part(self) -> str:
        with self.lock:
            self._parts += 1
            return "/".join((*self._scope, f"part-{self._parts}"))
