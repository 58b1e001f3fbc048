"""Working queued tasks: each attempt is recorded, the outcome once, and what a failed attempt did is billed to nobody.

What an attempt does is kept in its row, turn by turn. The attempt that comes to an outcome puts its events into the
log in the transaction that ends the task. Of one that the platform broke off, a killed worker's too, the next puts
them there as `discarded`: they show up in the task's tree and in its cost, and the standard meters leave them out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from taximeter import Event, Meter

from agents.domain.definitions import Definition, parse_definition
from agents.models import AttemptState, Task, TaskAttempt, TaskState
from agents.recording import call_cost
from agents.runtime import registry
from agents.runtime.desk import TranscriptDesk
from agents.runtime.errors import ModelRefused
from agents.runtime.model import Completion, ModelClient
from agents.runtime.registry import ENDINGS, TaskContext
from agents.runtime.work import AgentDefinition, Step, TaskResult, work_task
from budgets.facade import check_work
from kernel.clock import Clock
from metering.facade import ingest
from rest.alone import alone_with

logger = logging.getLogger("agents.runtime")

SOURCE = "taximeter/runtime"

#: How long after a broken-off attempt the next may begin, doubled with each.
PAUSE = timedelta(seconds=5)

#: From an agent's definition to the model it asks.
Models = Callable[[Definition], ModelClient]


class _Recorder:
    """A transport that keeps each event in the attempt's row; nothing is in the log yet."""

    #: The meter hands over each event as it is recorded.
    holds_tasks = False

    def __init__(self, attempt: TaskAttempt) -> None:
        self._attempt = attempt

    def __call__(self, events: list[Event]) -> None:
        self._attempt.events += events

    def keep(self, _: Step) -> None:
        """A turn was taken: should this process die now, it is known."""
        self._attempt.save(update_fields=["events"])


def due_tasks(*, now: datetime, limit: int = 100) -> list[int]:
    """Tasks to be worked, the longest waiting first; those under way are among them, in case their worker died."""
    waiting = Task.objects.exclude(state=TaskState.ENDED).filter(due_at__lte=now)
    return list(waiting.order_by("due_at", "id").values_list("pk", flat=True)[:limit])


def work_queued_task(*, task_pk: int, models: Models, clock: Clock) -> bool:
    """One attempt at a task; whether there was anything to do. Does nothing where another process is at it."""
    with alone_with(f"agent task {task_pk}") as alone:
        task = Task.objects.select_related("agent_version__agent").filter(pk=task_pk).first()
        if not alone or task is None or task.state == TaskState.ENDED or task.due_at > clock():
            return False
        for lost in task.attempts.filter(state=AttemptState.RUNNING):
            _discard(task, lost, problem="the worker was lost", now=clock())
        number = task.attempts.count() + 1
        definition = _definition(task)
        if number > definition.max_attempts:
            _end_without_agent(task, "attempts_exhausted", now=clock())
            return True
        attempt = TaskAttempt.objects.create(task=task, number=number, started_at=clock())
        Task.objects.filter(pk=task.pk, state=TaskState.QUEUED).update(state=TaskState.RUNNING)
        try:
            result = _attempt(task, attempt, definition, models, clock)
        except Exception as error:
            _broken_off(task, attempt, error, clock())
        else:
            _finish(task, attempt, result, clock())
        return True


def _definition(task: Task) -> Definition:
    return parse_definition(task.agent_version.definition, tools=registry.tool_names(), checks=registry.check_names())


def _attempt(task: Task, attempt: TaskAttempt, definition: Definition, models: Models, clock: Clock) -> TaskResult:
    version, context = task.agent_version, TaskContext(task.task_id, task.customer, task.input)
    recorder = _Recorder(attempt)

    def costs(answer: Completion) -> dict[str, Any]:
        measured = {name: value for name, value in answer.measured.items() if name not in {"provider", "hardware"}}
        return call_cost(
            organization_id=task.organization_id,
            at=clock(),
            provider=str(answer.measured.get("provider") or ""),
            hardware=str(answer.measured.get("hardware") or ""),
            model=answer.model,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            compute_seconds=answer.compute_seconds,
            **measured,
        )

    def refused() -> str | None:
        verdict = check_work(
            organization_id=task.organization_id, customer=task.customer, agent=version.agent.key, now=clock()
        )
        return None if verdict.allowed else f"{verdict.reason}: {verdict.detail}"

    return work_task(
        agent=AgentDefinition(
            key=version.agent.key,
            version=version.version,
            name=version.agent.name,
            goal=definition.goal,
            instructions=definition.instructions,
            max_turns=definition.max_turns,
            max_tokens=definition.max_tokens,
            max_seconds=definition.max_seconds,
            max_cost=definition.max_cost,
        ),
        desk=TranscriptDesk(
            input=task.input,
            tools=[registry.tool_named(name, context) for name in definition.tools],
            endings=ENDINGS,
        ),
        customer=task.customer,
        task_id=task.task_id,
        model=models(definition),
        meter=Meter(source=SOURCE, transport=recorder, clock=clock),
        attempt=attempt.number,
        costs=costs,
        check=registry.check_named(definition.check, context) if definition.check else None,
        on_step=recorder.keep,
        refused=refused,
    )


def _finish(task: Task, attempt: TaskAttempt, result: TaskResult, now: datetime) -> None:
    """Record the attempt and end the task, both or neither; not if the task was ended by somebody meanwhile."""
    with transaction.atomic():
        held = Task.objects.select_for_update().get(pk=task.pk)
        current = TaskAttempt.objects.select_for_update().get(pk=attempt.pk)
        if held.state == TaskState.ENDED or current.state != AttemptState.RUNNING:
            _discard(task, attempt, problem="the task was ended meanwhile", now=now)
            return
        _write(task, attempt.events, now)
        held.state, held.outcome, held.ended_at = TaskState.ENDED, result.outcome, now
        held.problem = f"the limit of {result.limit} was reached" if result.limit else (result.refusal or "")[:200]
        held.save()
        attempt.state, attempt.ended_at = AttemptState.FINISHED, now
        attempt.save()


def _broken_off(task: Task, attempt: TaskAttempt, error: Exception, now: datetime) -> None:
    problem = getattr(error, "code", None) or type(error).__name__
    logger.warning("attempt %d at task %s was broken off", attempt.number, task.task_id, exc_info=error)
    _discard(task, attempt, problem=problem, now=now)
    if isinstance(error, ModelRefused):
        _end_without_agent(task, problem, now=now)
        return
    due_at = now + PAUSE * 2 ** (attempt.number - 1)
    Task.objects.filter(pk=task.pk).exclude(state=TaskState.ENDED).update(state=TaskState.QUEUED, due_at=due_at)


def _discard(task: Task, attempt: TaskAttempt, *, problem: str, now: datetime) -> None:
    """Put into the log what an attempt did, as discarded. Twice is once: its events have their ids already."""
    with transaction.atomic():
        current = TaskAttempt.objects.select_for_update().get(pk=attempt.pk)
        if current.state != AttemptState.RUNNING:
            return
        events = [_discarded(event, attempt.number) for event in attempt.events if event["type"] != "agent.task"]
        _write(task, events, now)
        attempt.state, attempt.problem, attempt.ended_at = AttemptState.DISCARDED, problem[:200], now
        attempt.save()


def _discarded(event: Event, attempt: int) -> Event:
    return {**event, "data": {**event["data"], "attempt": attempt, "discarded": True}}


def _end_without_agent(task: Task, problem: str, *, now: datetime) -> None:
    """The platform could not bring the task to an end: it has failed, and nothing of it is charged."""
    with transaction.atomic():
        held = Task.objects.select_for_update().get(pk=task.pk)
        if held.state == TaskState.ENDED:
            return
        events: list[Event] = []
        version = task.agent_version
        meter = Meter(source=SOURCE, transport=events.extend, clock=lambda: now)
        with meter.task(
            str(version.definition.get("goal")), customer=task.customer, task_id=task.task_id,
            agent=f"{version.agent.key}@{version.version}", error=problem,
        ) as ending:  # fmt: skip
            ending.fail(source="check")
        _write(task, events, now)
        held.state, held.outcome, held.problem, held.ended_at = TaskState.ENDED, "failed", problem[:200], now
        held.save()


def _write(task: Task, events: Sequence[Event], now: datetime) -> None:
    if events:
        ingest(organization_id=task.organization_id, events=list(events), received_at=now, strict=True, backfill=True)
