"""The meter: what an agent's code holds to record what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from taximeter.events import INFERENCE_CALL, Event, build_event
from taximeter.fields import agent_fields, inference_fields
from taximeter.identity import event_id, new_event_id, new_task_id
from taximeter.task import Task
from taximeter.version import __version__

#: Takes a list of events and either has them or raises.
Transport = Callable[[list[Event]], object]
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    return datetime.now(timezone.utc)


class Meter:
    """Builds usage events and hands them to a transport.

    `source` names what records, such as a service or a host: identity is (source, id).
    `common` are fields every event's data carries, for instance `{"region": "eu"}`.
    `sdk` is written into each event; None leaves it out, which importers want so that the same
    file gives the same events under every version of this package.
    """

    def __init__(
        self,
        *,
        source: str,
        transport: Transport,
        clock: Clock = system_clock,
        environment: str | None = None,
        common: Mapping[str, Any] | None = None,
        sdk: str | None = f"taximeter-python/{__version__}",
    ) -> None:
        if not source:
            raise ValueError("source is required: it is half of every event's identity")
        self.source = source
        self.transport = transport
        self.clock = clock
        self.common = {"environment": environment, "sdk": sdk, **(common or {})}

    def task(
        self,
        goal: str,
        *,
        customer: str,
        agent: str,
        task_id: str | None = None,
        attempt: int = 1,
        **fields: Any,
    ) -> Task:
        """A task for `customer`, worked by `agent` (`key` or `key@version`), to be used in a `with` block.

        `task_id` names the work: recorded again under the same id, it adds nothing. `fields` go into the
        data of each of its events (`conversation_id`, `trace_id`, `region`, …).
        """
        shared = {**self.common, **agent_fields(agent), **fields, "task_id": task_id or new_task_id()}
        if attempt != 1:
            shared["attempt"] = attempt
        return Task(meter=self, goal=goal, customer=customer, fields=shared, attempt=attempt)

    def record(
        self,
        type: str,
        customer: str | None,
        data: Mapping[str, Any],
        *,
        id: str | None = None,
        time: datetime | None = None,
    ) -> Event:
        """Sends one event of any type. Give an `id` that names the thing where it may be recorded twice."""
        event = self.event(type, customer, data, id=id, time=time)
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
        **fields: Any,
    ) -> Event:
        """Sends one inference call made outside of a task block, such as by a proxy. Fields as in `Turn.inference`."""
        data = {**(agent_fields(agent) if agent else {}), **inference_fields(model=model, **fields)}
        return self.record(INFERENCE_CALL, customer, {**data, "started_at": started_at}, id=event_id("call", call_id))

    def event(
        self,
        type: str,
        customer: str | None,
        data: Mapping[str, Any],
        *,
        id: str | None = None,
        time: datetime | None = None,
    ) -> Event:
        """The event alone, sent nowhere."""
        return build_event(
            id=id or new_event_id(),
            source=self.source,
            type=type,
            time=time or self.clock(),
            customer=customer,
            data={**self.common, **data},
        )

    def send(self, events: list[Event]) -> None:
        """Hands `events` to the transport as one batch; what it raises comes through."""
        if events:
            self.transport(events)
