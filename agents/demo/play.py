"""Playing the demo: what is missing of it is done, what is there is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from accounts.facade import Organization
from agents.demo.inputs import RECORDED_RUNS
from agents.demo.plans import CUSTOMERS, RECORDED_AGENT
from agents.demo.schedule import PlannedTask, last_month, planned_tasks
from agents.importers.chat import import_runs
from agents.recording import costs_of, meter_for
from agents.runtime.clock import ElapsedClock
from agents.runtime.model import Completion, ModelClient
from agents.runtime.work import Step, TaskResult, work_task
from billing.facade import Invoice, close_month, invoices_of, runs_of
from kernel.clock import Clock
from kernel.period import Month
from metering.facade import EventQuestion, list_events

SOURCE = "taximeter/agents"

#: How long to wait for another process that is closing the same month.
_PATIENCE_SECONDS = 60


class Audience(Protocol):
    """Who watches the demo being played."""

    def task_begins(self, task: PlannedTask) -> None: ...

    def turn_taken(self, task: PlannedTask, step: Step) -> None: ...

    def task_ended(self, task: PlannedTask, result: TaskResult) -> None: ...


def missing_tasks(organization: Organization) -> list[PlannedTask]:
    """The demo's tasks that are not in the log yet, by their time."""
    recorded = set(_recorded_task_ids(organization))
    return [task for task in planned_tasks(organization.created_at) if task.task_id not in recorded]


def _recorded_task_ids(organization: Organization) -> Iterator[str]:
    cursor: str | None = None
    while True:
        question = EventQuestion(organization_id=organization.pk, type="agent.task")
        events, cursor = list_events(question, limit=1000, cursor=cursor)
        yield from (event.data["task_id"] for event in events)
        if cursor is None:
            return


def work_tasks(*, organization: Organization, tasks: list[PlannedTask], model: ModelClient, audience: Audience) -> None:
    """Works `tasks` one after the other; each is in the log, whole, before the next begins.

    Raises `ModelUnavailable`, what was finished until then being kept.
    """
    for task in tasks:
        audience.task_begins(task)
        result = work_task(
            agent=task.agent,
            desk=task.desk(),
            customer=task.customer.key,
            task_id=task.task_id,
            model=model,
            meter=meter_for(organization_id=organization.pk, source=SOURCE, clock=ElapsedClock(task.starts_at)),
            costs=_costs,
            on_step=partial(audience.turn_taken, task),
        )
        audience.task_ended(task, result)


def _costs(answer: Completion) -> Mapping[str, Any]:
    return costs_of(answer.compute_seconds) if answer.compute_seconds else {}


def import_recorded_runs(organization: Organization) -> None:
    """The recorded runs as work done for the customer without an agent of ours; importing again adds nothing."""
    (customer,) = [customer for customer in CUSTOMERS if customer.agent is None]
    month = last_month(organization.created_at).period(ZoneInfo("UTC"))
    import_runs(
        RECORDED_RUNS,
        organization=organization,
        customer=customer.key,
        agent=RECORDED_AGENT,
        start=month.start + timedelta(days=2, hours=9),
        every=timedelta(days=2, hours=5),
        strict=True,
    )


def close_last_month(organization: Organization, *, clock: Clock) -> list[Invoice]:
    """The invoices of the demo's month, issued unless they were before."""
    month = last_month(organization.created_at)
    if not _is_closed(organization, month):
        close_month(organization=organization, month=month, now=clock())
    return sorted(invoices_of(organization.pk, month=month), key=lambda invoice: invoice.number or "")


def _is_closed(organization: Organization, month: Month) -> bool:
    return runs_of(organization.pk).filter(month=str(month), status__in=["succeeded", "failed"]).exists()
