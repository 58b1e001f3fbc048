"""How a task ended, said afterwards: by a check, a person, a customer; and said otherwise later.

A task has one outcome that counts. A new one takes the event of the old one back and stands at the old one's time,
so that meters count it in the same period: in an open one at once, in a closed one as an adjustment of the next bill.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from taximeter import identity

from accounts.facade import record_audit
from agents.domain.readings import TASK
from agents.models import Task, TaskState
from agents.queries.traces import TaskNotFound, TaskTrace, task_trace
from billing.facade import settlement_window
from kernel.clock import to_rfc3339
from kernel.errors import ConflictError, InvalidError
from kernel.text import require_text
from metering.facade import OUTCOMES, EventView, amend_event, ingest, void_event

SOURCE = "taximeter/outcomes"

SOURCES = ("check", "person", "customer")


class OutcomeInvalid(InvalidError):
    code = "outcome_invalid"


class OutcomeSet(ConflictError):
    """The task has another outcome already; a dispute changes it."""

    code = "outcome_set"


class TaskNotEnded(ConflictError):
    """There is no outcome yet that could be disputed, or the task is still being worked."""

    code = "task_not_ended"


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """What became of saying an outcome. `is_settled` is whether the settlement window was over."""

    outcome: str
    previous: str | None
    has_changed: bool
    is_settled: bool


def set_outcome(
    *, organization_id: int, task_id: str, outcome: str, source: str, actor: str, now: datetime, reason: str = ""
) -> OutcomeChange:
    """Say how a task ended that has not said so itself. The same again changes nothing.

    Raises `TaskNotFound`, `OutcomeSet`, `OutcomeInvalid`, and `TaskNotEnded` for a task that our runtime is working
    and that is not cancelled by this.
    """
    _check(outcome, source)
    require_text(reason, field="reason", lines=True)
    with transaction.atomic():
        _lock(organization_id, task_id)
        _stop_working(organization_id, task_id, outcome, now)
        trace = _trace(organization_id, task_id)
        if trace is None:
            return _cancel_unstarted(organization_id, task_id, outcome, source, actor, now, reason)
        end = trace.end
        if end is not None:
            previous = str(end.data.get("outcome"))
            if previous != outcome:
                raise OutcomeSet(f"The task has {previous} already; dispute it to change that")
            return OutcomeChange(outcome, previous, False, _is_settled(end, organization_id, now))
        totals = trace.task.totals
        data = {
            "agent": totals.agent, "agent_version": totals.agent_version, "goal": totals.goal, "task_id": task_id,
            "started_at": to_rfc3339(totals.started_at), "environment": "test" if totals.is_test else None,
            "outcome": outcome, "outcome_source": source,
        }  # fmt: skip
        event = _event(len(trace.ends) + 1, task_id, subject=totals.customer, time=now, data=data)
        ingest(organization_id=organization_id, events=[event], received_at=now, strict=True, backfill=True)
        _audit(
            organization_id, actor, "task.outcome", task_id,
            about=totals.customer, outcome=outcome, source=source, reason=reason,
        )  # fmt: skip
    return OutcomeChange(outcome, None, True, False)


def dispute_outcome(
    *, organization_id: int, task_id: str, outcome: str, source: str, actor: str, reason: str, now: datetime
) -> OutcomeChange:
    """Replace the outcome of a task that has ended. The log keeps what was said before; the audit trail says who.

    Raises `TaskNotFound`, `TaskNotEnded`, `OutcomeInvalid`.
    """
    _check(outcome, source)
    require_text(reason, field="reason", lines=True)
    with transaction.atomic():
        _lock(organization_id, task_id)
        trace = _trace(organization_id, task_id)
        if trace is None:
            raise TaskNotFound(f"No event names the task {task_id!r}")
        end = trace.end
        if end is None:
            raise TaskNotEnded("The task has no outcome yet")
        previous = str(end.data.get("outcome"))
        change = OutcomeChange(outcome, previous, previous != outcome, _is_settled(end, organization_id, now))
        if not change.has_changed:
            return change
        data = {**end.data, "outcome": outcome, "outcome_source": source, "previous_outcome": previous}
        amend_event(
            organization_id=organization_id,
            source=end.source,
            event_id=end.id,
            reason=reason,
            replacement=_event(len(trace.ends) + 1, task_id, subject=end.customer, time=end.time, data=data),
            at=now,
            audited=False,
        )
        for other in _ends(trace, end):
            void_event(
                organization_id=organization_id,
                source=other.source,
                event_id=other.id,
                reason=reason,
                at=now,
                audited=False,
            )
        Task.objects.filter(organization_id=organization_id, task_id=task_id).update(outcome=outcome)
        _audit(
            organization_id, actor, "task.dispute", task_id, about=end.customer,
            outcome=outcome, previous=previous, source=source, reason=reason, settled=change.is_settled,
        )  # fmt: skip
    return change


def _is_settled(end: EventView, organization_id: int, now: datetime) -> bool:
    """Whether the task is past the settlement window of its customer's plan: a change is then a correction."""
    return now > end.time + settlement_window(organization_id=organization_id, customer=end.customer, at=end.time)


def _check(outcome: str, source: str) -> None:
    if outcome not in OUTCOMES:
        raise OutcomeInvalid(f"An outcome is one of {', '.join(OUTCOMES)}")
    if source not in SOURCES:
        raise OutcomeInvalid(f"Who says so is one of {', '.join(SOURCES)}")


def _lock(organization_id: int, task_id: str) -> None:
    """One at a time says how a task ended; the lock ends with the transaction."""
    text = f"task outcome {organization_id} {task_id}".encode("utf-8", "surrogatepass")
    with connection.cursor() as cursor:
        number = int.from_bytes(hashlib.sha256(text).digest()[:8], signed=True)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def _trace(organization_id: int, task_id: str) -> TaskTrace | None:
    try:
        return task_trace(organization_id=organization_id, task_id=task_id)
    except TaskNotFound:
        return None


def _stop_working(organization_id: int, task_id: str, outcome: str, now: datetime) -> None:
    """Call off a task that our runtime has not finished; whoever is at it finds out when it wants to record it."""
    waiting = Task.objects.select_for_update().filter(organization_id=organization_id, task_id=task_id)
    task = waiting.exclude(state=TaskState.ENDED).first()
    if task is None:
        return
    if outcome != "cancelled":
        raise TaskNotEnded("The task is still being worked; until it ends it can only be cancelled")
    task.state, task.outcome, task.ended_at = TaskState.ENDED, outcome, now
    task.save(update_fields=["state", "outcome", "ended_at"])


def _cancel_unstarted(
    organization_id: int, task_id: str, outcome: str, source: str, actor: str, now: datetime, reason: str
) -> OutcomeChange:
    """A task of our runtime that was cancelled before anything of it was recorded: its end counts for nothing."""
    task = (
        Task.objects.select_related("agent_version__agent")
        .filter(organization_id=organization_id, task_id=task_id, outcome=outcome)
        .first()
    )
    if task is None:
        raise TaskNotFound(f"No event names the task {task_id!r}")
    version = task.agent_version
    data = {
        "agent": version.agent.key, "agent_version": version.version, "goal": version.definition.get("goal"),
        "task_id": task_id, "outcome": outcome, "outcome_source": source, "discarded": True,
    }  # fmt: skip
    event = _event(1, task_id, subject=task.customer, time=now, data=data)
    ingest(organization_id=organization_id, events=[event], received_at=now, strict=True, backfill=True)
    _audit(
        organization_id, actor, "task.outcome", task_id,
        about=task.customer, outcome=outcome, source=source, reason=reason,
    )  # fmt: skip
    return OutcomeChange(outcome, None, True, False)


def _event(number: int, task_id: str, *, subject: str | None, time: datetime, data: dict[str, Any]) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": identity.event_id(task_id, f"outcome-{number}"),
        "source": SOURCE,
        "type": TASK,
        "time": to_rfc3339(time),
        "data": {name: value for name, value in data.items() if value is not None},
    }
    return event | {"subject": subject} if subject else event


def _ends(trace: TaskTrace, counted: EventView) -> list[EventView]:
    return [event for event in trace.ends if not event.voided and event is not counted]


def _audit(organization_id: int, actor: str, action: str, task_id: str, **detail: Any) -> None:
    record_audit(organization_id=organization_id, actor=actor, action=action, target=task_id[:200], **detail)
