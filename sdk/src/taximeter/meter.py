"""The meter: what an agent's code holds to record what it does."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from taximeter.clocks import Clock, Stopwatch, system_clock
from taximeter.context import task_variable
from taximeter.decorators import Function, traced_task
from taximeter.environment import ENVIRONMENT, spool_transport
from taximeter.events import INFERENCE_CALL, Event, build_event
from taximeter.fields import agent_fields, inference_fields, without_content
from taximeter.identity import event_id, new_event_id, new_task_id
from taximeter.keys import customer_key_refusal, require_customer_key
from taximeter.propagation import carried_in
from taximeter.task import Task
from taximeter.version import __version__

logger = logging.getLogger("taximeter")

#: Takes a list of events and either has them or raises. An attribute `holds_tasks = False` says that it wants each
#: event as soon as it is recorded; without one a task's events come together, when the task ends.
Transport = Callable[[list[Event]], object]


class Meter:
    """Builds usage events and hands them to a transport.

    `source` names what records, such as a service or a host: identity is (source, id).
    `transport` is where events go: without one, a spool on the disk as the environment says (`taximeter.environment`).
    `environment` is `production` or `test`, tests are not billed.
    `common` are fields every event's data carries, for instance `{"region": "eu"}`.
    `sdk` is written into each event; None leaves it out, which importers want so that the same
    file gives the same events under every version of this package.
    `on_misuse` is what a mistake in the calling code does (two outcomes, a turn after the end, a cost that is a
    float, a customer's key that cannot be): `raise` its error, or `log` it and leave that one event out.
    `records_content`: whether fields with what was said (`taximeter.fields.CONTENT_FIELDS`) may be in activity events.
    """

    def __init__(
        self,
        *,
        source: str,
        transport: Transport | None = None,
        clock: Clock = system_clock,
        environment: str | None = None,
        common: Mapping[str, Any] | None = None,
        sdk: str | None = f"taximeter-python/{__version__}",
        on_misuse: Literal["raise", "log"] = "raise",
        records_content: bool = False,
    ) -> None:
        if not source:
            raise ValueError("source is required: it is half of every event's identity")
        self.source = source
        if transport is None:
            transport = spool_transport(source)
            environment = environment or os.environ.get(ENVIRONMENT)
        self.transport = transport
        self.clock = clock
        self.common = {"environment": environment, "sdk": sdk, **(common or {})}
        self.on_misuse = on_misuse
        self.records_content = records_content

    @property
    def holds_tasks(self) -> bool:
        """Whether a task's events wait for its end and leave as one batch, as the transport wants it."""
        return bool(getattr(self.transport, "holds_tasks", True))

    def task(
        self,
        goal: str,
        *,
        customer: str,
        agent: str,
        task_id: str | None = None,
        attempt: int = 1,
        subscription: str | None = None,
        **fields: Any,
    ) -> Task:
        """A task for `customer`, worked by `agent` (`key` or `key@version`), for a `with` or `async with` block.

        `task_id` names the work: recorded again under the same id, it adds nothing. Work that is taken up anew
        is another `attempt`. `subscription` is the id or key of the customer's subscription that alone is to charge
        its events, where the customer has several that count the same. `fields` go into the data of each of its events
        (`conversation_id`, `trace_id`, `region`, …). Inside of another task's block, `parent_id` is that task.
        """
        if customer and (refusal := customer_key_refusal(customer)) is not None:
            self.misused(ValueError(f"{customer!r:.80} can never be a customer's key: {refusal}"))
        outer = task_variable.get()
        if outer is not None:
            fields.setdefault("parent_id", outer.task_id)
        if not self.records_content:
            fields = without_content(fields)
        shared = {**self.common, **self._agent_fields(agent), **fields, "task_id": task_id or new_task_id()}
        if attempt != 1:
            shared["attempt"] = attempt
        return Task(meter=self, goal=goal, customer=customer, fields=shared, attempt=attempt, subscription=subscription)

    def continue_task(self, carrier: Mapping[str, str], *, attempt: int = 1, **fields: Any) -> Task:
        """The task in `carrier`, as `Task.inject` or `Task.hand_over` put it there, for work done here on it.

        Turns recorded here belong to that task. After `inject` the task is ended where it began: leaving this
        block ends nothing. After `hand_over` it is ended here. The ids of what is recorded here are made from
        the share of the work that was given away, so that a message delivered twice is recorded once; where it is
        worked again on purpose, count `attempt` up. Raises `PropagationError` where `carrier` holds no task.
        """
        told = carried_in(carrier)
        shared = {**self.common, **self._agent_fields(told.agent), "parent_id": told.parent_id, **fields}
        if told.trace_id:
            shared.setdefault("trace_id", told.trace_id)
        if told.attempt != 1:
            shared["attempt"] = told.attempt
        return Task(
            meter=self,
            goal=told.goal,
            customer=told.customer,
            fields={**shared, "task_id": told.task_id},
            attempt=told.attempt,
            scope=(told.part,) if attempt == 1 else (told.part, f"attempt-{attempt}"),
            ends=told.ends,
            started_at=told.started_at,
            turns=told.turns,
            decisions=told.decisions,
            subscription=told.subscription,
        )

    def traced_task(
        self,
        goal: str,
        *,
        agent: str,
        customer: str | Callable[..., str],
        task_id: str | Callable[..., str] | None = None,
        outcome: str | Callable[[Any], str | None] | None = None,
        **fields: Any,
    ) -> Callable[[Function], Function]:
        """A decorator: each call of the function, plain or `async`, is a task.

        `customer` and `task_id` may be functions of the call's arguments. `outcome` is what a call that returns
        means: a name, or a function of what was returned; without it the function says it itself, through
        `taximeter.current_task()`, and is `failed` where it does not.

            @meter.traced_task("resolve-ticket", agent="support@3", customer=lambda ticket: ticket.customer)
            def resolve(ticket): ...
        """
        return traced_task(self, goal, agent=agent, customer=customer, task_id=task_id, outcome=outcome, fields=fields)

    def record(
        self,
        type: str,
        customer: str | None,
        data: Mapping[str, Any],
        *,
        id: str | None = None,
        time: datetime | None = None,
        subscription: str | None = None,
    ) -> Event:
        """Sends one event of any type. Give an `id` that names the thing where it may be recorded twice.

        Returns the event; an empty one where it could not be made and mistakes are logged.
        """
        try:
            if customer:
                require_customer_key(customer)
            event = self.event(type, customer, data, id=id, time=time, subscription=subscription)
        except (TypeError, ValueError, RecursionError) as error:
            self.misused(error)
            return {}
        self.send([event])
        return event

    def inference_call(
        self,
        *,
        customer: str | None,
        model: str,
        call_id: str,
        agent: str | None = None,
        started_at: datetime | None = None,
        subscription: str | None = None,
        **fields: Any,
    ) -> Event:
        """Sends one inference call made outside of a task block, such as by a proxy. Fields as in `Turn.inference`."""
        data = {**(agent_fields(agent) if agent else {}), **inference_fields(model=model, **fields)}
        if not self.records_content:
            data = without_content(data)
        return self.record(
            INFERENCE_CALL,
            customer,
            {**data, "started_at": started_at},
            id=event_id("call", call_id),
            subscription=subscription,
        )

    def event(
        self,
        type: str,
        customer: str | None,
        data: Mapping[str, Any],
        *,
        id: str | None = None,
        time: datetime | None = None,
        subscription: str | None = None,
    ) -> Event:
        """The event alone, sent nowhere."""
        return build_event(
            id=id or new_event_id(),
            source=self.source,
            type=type,
            time=time or self.clock(),
            customer=customer,
            data={**self.common, **data},
            subscription=subscription,
        )

    def send(self, events: list[Event]) -> None:
        """Hands `events` to the transport as one batch; what it raises comes through."""
        if events:
            self.transport(events)

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all that was recorded has arrived, `timeout` seconds at most. Whether it has.

        Transports that deliver at once have nothing to wait for.
        """
        flush = getattr(self.transport, "flush", None)
        return True if flush is None else bool(flush(timeout))

    def close(self, timeout: float | None = None) -> bool:
        """`flush`, and lets go of the transport's files and thread. Also done when the process exits."""
        close = getattr(self.transport, "close", None)
        return True if close is None else bool(close(timeout))

    def stopwatch(self, started_at: datetime | None = None) -> Stopwatch:
        """Started now, by this meter's clock."""
        return Stopwatch(self.clock, started_at)

    def misused(self, error: Exception) -> None:
        """Raises `error`, or logs it, as `on_misuse` says."""
        if self.on_misuse == "raise":
            raise error
        logger.error("not recorded: %s", error, stack_info=True)

    def _agent_fields(self, agent: str) -> dict[str, str]:
        try:
            return agent_fields(agent)
        except ValueError as error:
            self.misused(error)
            return {"agent": "unknown"}
