"""Whether what works in the background does: the schedule, the workers, and what they carry forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app
from django.urls import reverse

from agents.facade import projected_to
from budgets.facade import evaluation_backlog
from collection.facade import call_backlog
from console.heartbeat import BrokerUnavailable, last_heartbeat, tasks_in_queue
from inference.facade import engine_state
from metering.facade import projections_wait_since, waiting_since
from notifications.facade import Backlog, mail_backlog, webhook_backlog

#: After so long, what waits is late; after so long, it is stuck.
LATE, STUCK = timedelta(seconds=30), timedelta(minutes=5)
#: So many tasks in the queue are more than are worked while somebody looks.
_LONG_QUEUE = 200
#: Given to workers to say that they are there, in seconds; asked for only where the heartbeat is missing.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that works in the background. `state`: fine, late, stuck or off. `since`: how long something waits."""

    name: str
    state: str
    said: str
    since: datetime | None = None
    link: str = ""


def signs(*, organization_id: int, now: datetime) -> list[Sign]:
    """All of them, in a constant number of queries; takes about a second longer where no worker answers."""
    behind = waiting_since(organization_id=organization_id, first_xid=projected_to(organization_id))
    webhooks = webhook_backlog(organization_id=organization_id, now=now)
    mail = mail_backlog(organization_id=organization_id, now=now)
    calls = call_backlog(organization_id=organization_id, now=now)
    return [
        *_schedule_and_queue(now),
        _reader("Usage of meters", projections_wait_since(organization_id), now),
        _reader("Summaries of tasks", behind, now),
        _budgets(organization_id, now),
        _sent("Webhooks", webhooks, now, link=reverse("console:webhooks"), given_up="given up in the last day"),
        _sent("Mail", mail, now, link=reverse("console:mail"), given_up="given up in the last day"),
        _sent("Calls to payment providers", calls, now, given_up="to be looked at by a person"),
        _engine(),
    ]


def _schedule_and_queue(now: datetime) -> Iterator[Sign]:
    name = "Schedule and workers"
    try:
        last, waiting = last_heartbeat(), tasks_in_queue()
    except BrokerUnavailable:
        yield Sign(name, "stuck", "The broker does not answer. What is due is found once it does.")
        return
    if last is not None and now - last < LATE:
        yield Sign(name, "fine", "The schedule asks and a worker answers.")
    elif _worker_answers():
        yield Sign(name, "stuck", "Workers answer, and no schedule asks: Celery's beat is not running.", last)
    else:
        yield Sign(name, "stuck", "No worker answers.", last)
    said = "Nothing waits." if not waiting else f"{waiting} waiting for a worker."
    yield Sign("Queue of tasks", "late" if waiting > _LONG_QUEUE else "fine", said)


def _worker_answers() -> bool:
    try:
        return bool(current_app.control.ping(timeout=_PATIENCE, limit=1))
    except OSError:
        return False


def _reader(name: str, since: datetime | None, now: datetime) -> Sign:
    if since is None:
        return Sign(name, "fine", "All events are counted.")
    return Sign(name, _state(since, now), "Later events are not counted yet.", since)


def _budgets(organization_id: int, now: datetime) -> Sign:
    name, link = "Budgets", reverse("console:budgets")
    backlog = evaluation_backlog(organization_id=organization_id, now=now)
    if backlog.is_empty:
        return Sign(name, "off", "No budget or limit is set.", link=link)
    if backlog.since is None:
        return Sign(name, "fine", "All of them are worked out.", link=link)
    return Sign(name, _state(backlog.since, now), "Later usage is not held against them yet.", backlog.since, link)


def _sent(name: str, backlog: Backlog, now: datetime, *, given_up: str, link: str = "") -> Sign:
    said = "Nothing is overdue." if backlog.since is None else "Something is overdue."
    state = _state(backlog.since, now)
    if backlog.failed:
        state, said = max(state, "late", key=_GRAVITY.index), f"{said} {backlog.failed} {given_up}."
    return Sign(name, state, said, backlog.since, link)


_GRAVITY = ("off", "fine", "late", "stuck")


def _state(since: datetime | None, now: datetime) -> str:
    waited = timedelta(0) if since is None else now - since
    return "stuck" if waited > STUCK else "late" if waited > LATE else "fine"


def _engine() -> Sign:
    state = engine_state()
    if not state.is_here:
        return Sign("Engine", "off", "No engine runs on this machine.")
    if not state.is_answering:
        return Sign("Engine", "stuck", "The engine does not answer.")
    loaded = ", ".join(state.models) or "no model loaded"
    return Sign("Engine", "fine", f"{state.requests} requests; {loaded}.")
