"""Which task is worked when and for whom: the same for every run of the same demo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from agents.demo.desks import ROUTER, TRIAGE, RouterDesk, TriageDesk
from agents.demo.inputs import DemoInput, airline_messages, change_notes
from agents.demo.plans import CUSTOMERS, DemoCustomer
from agents.runtime.work import AgentDefinition, Desk
from kernel.period import Month, Period

#: Tasks of an agent in last month and in the current one.
_LAST_MONTH, _THIS_MONTH = 14, 2
_LONGEST_TASK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task of the demo. Its id names it, so that it is worked once however often the demo is played."""

    task_id: str
    agent: AgentDefinition
    customer: DemoCustomer
    given: DemoInput
    starts_at: datetime

    def desk(self) -> Desk:
        return TriageDesk(self.given) if self.agent is TRIAGE else RouterDesk(self.given)


def last_month(anchor: datetime) -> Month:
    """The month the demo bills: the one before `anchor`, the instant the demo was set up."""
    return Month.of(anchor, ZoneInfo("UTC")).previous()


def planned_tasks(anchor: datetime) -> list[PlannedTask]:
    """All tasks by their time: most in the month before `anchor`, a few between that month's end and `anchor`."""
    month = last_month(anchor).period(ZoneInfo("UTC"))
    current = Period(month.end, max(anchor, month.end + timedelta(seconds=1)))
    tasks: list[PlannedTask] = []
    for agent, inputs in ((TRIAGE, change_notes()), (ROUTER, airline_messages())):
        customers = [customer for customer in CUSTOMERS if customer.agent == agent.key]
        times = [*_spread(month, _LAST_MONTH, agent is ROUTER), *_spread(current, _THIS_MONTH, agent is ROUTER)]
        for number, (given, starts_at) in enumerate(zip(inputs, times, strict=False)):
            customer = customers[number % len(customers)]
            tasks.append(PlannedTask(f"demo-{given.id}", agent, customer, given, starts_at))
    return sorted(tasks, key=lambda task: (task.starts_at, task.task_id))


def _spread(period: Period, count: int, later: bool) -> Iterator[datetime]:
    """`count` instants over `period`, none so late that its task would reach beyond it."""
    length = max(period.end - period.start - _LONGEST_TASK, timedelta(0))
    for number in range(count):
        share = (2 * number + (1.4 if later else 0.7)) / (2 * count)
        instant = period.start + length * share
        yield instant.astimezone(UTC).replace(microsecond=0)
