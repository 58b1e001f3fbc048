"""Task summaries follow the log: whatever came, was taken back, in whatever steps it was taken in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.domain.readings import read_event
from agents.domain.summaries import Change, TaskTotals, call_group, fold_all, fold_call, fold_task
from agents.models import CallMonth, CallUsage, EndedDay, TaskProjection, TaskSummary
from agents.services import projection
from metering.facade import amend_event, ingest, void_event
from tests.api import make_api
from tests.examples import examples

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def event(kind: str, number: int, *, task: str = "t-1", customer: str | None = "acme", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"{task}/{kind}-{number}", "source": "desk", "type": kind, "subject": customer,
        "time": (NOW + timedelta(seconds=number)).isoformat(), "data": {"task_id": task, "agent": "support", **data},
    }  # fmt: skip


def a_task(task: str = "t-1", outcome: str = "succeeded") -> list[dict[str, Any]]:
    """Two turns, two decisions, a tool call, two calls of a model; 420 + 60 tokens, 1.5 compute seconds, $0.03."""
    call = {"model": "m", "provider": "p", "cost": "0.015", "cost_currency": "USD", "compute_seconds": "0.75"}
    return [
        event("inference.call", 1, task=task, input_tokens=200, output_tokens=20, **call),
        event("agent.decision", 1, task=task, choice="search"),
        event("agent.tool_call", 2, task=task, tool="search"),
        event("agent.turn", 2, task=task, turn_id="1"),
        event("inference.call", 3, task=task, input_tokens=220, output_tokens=40, **call),
        event("agent.decision", 3, task=task, choice="answer"),
        event("agent.turn", 4, task=task, turn_id="2"),
        event("agent.task", 5, task=task, outcome=outcome, outcome_source="check", goal="help"),
    ]


def put(organization_id: int, events: list[dict[str, Any]]) -> None:
    result = ingest(organization_id=organization_id, events=events, received_at=NOW)
    assert not result.rejected


def everything(organization_id: int) -> list[Any]:
    """All that the projection holds, ids aside."""
    rows = [
        *TaskSummary.objects.order_by("task_key").values(),
        *CallUsage.objects.order_by("group_key", "hour").values(),
        *CallMonth.objects.filter(calls__gt=0).order_by("kind_key", "month").values(),
        *EndedDay.objects.filter(tasks__gt=0).order_by("kind_key", "day").values(),
    ]
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


@pytest.fixture
def organization_id(transactional_db: None) -> int:
    """A projection reads below what is still being written, so these tests commit."""
    return make_api("Vendor").organization.pk


def test_a_task_is_summed_up_with_its_calls_and_its_outcome(organization_id):
    put(organization_id, a_task())
    projection.advance_task_summaries()
    [task] = TaskSummary.objects.all()
    assert (task.task_id, task.customer, task.agent, task.goal) == ("t-1", "acme", "support", "help")
    assert (task.turns, task.decisions, task.tool_calls, task.inference_calls, task.events) == (2, 2, 1, 2, 8)
    assert (task.outcome, task.outcome_source, task.attempts) == ("succeeded", "check", 1)
    assert (task.started_at, task.ended_at) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=5))
    [calls] = CallUsage.objects.all()
    assert (calls.calls, calls.input_tokens, calls.output_tokens, calls.cost) == (2, 420, 60, Decimal("0.03"))
    assert (calls.compute_seconds, calls.hour, calls.cost_currency) == (Decimal("1.5"), NOW, "USD")


def test_what_is_taken_back_or_amended_counts_no_longer_and_rebuilding_says_the_same(organization_id):
    put(organization_id, [*a_task("t-1"), *a_task("t-2", "failed")])
    projection.advance_task_summaries()
    void_event(organization_id=organization_id, source="desk", event_id="t-1/inference.call-1", reason="x", at=NOW)
    end = event("agent.task", 5, outcome="failed", outcome_source="person", goal="help") | {"id": "t-1/outcome-2"}
    amend_event(
        organization_id=organization_id, source="desk", event_id="t-1/agent.task-5", reason="x", replacement=end, at=NOW
    )
    projection.advance_task_summaries()
    task = TaskSummary.objects.get(task_id="t-1")
    assert (task.outcome, task.outcome_source, task.inference_calls, task.events) == ("failed", "person", 1, 7)
    assert CallUsage.objects.get(task_key=task.task_key).input_tokens == 220
    before = everything(organization_id)
    projection.rebuild(organization_id=organization_id)
    assert TaskSummary.objects.count() == 0
    while projection.advance(organization_id=organization_id, step=3):
        pass  # three changes at a time, stopping within a transaction
    assert everything(organization_id) == before


def test_what_events_hold_never_stops_the_projection(organization_id):
    hostile = {
        "input_tokens": "many", "output_tokens": -5, "compute_seconds": "1e99", "cost": "NaN", "cost_currency": 7,
        "model": ["m"], "provider": "p" * 9000, "attempt": "two", "started_at": "yesterday", "outcome": {"a": 1},
        "turn_id": 4, "decision_id": None, "environment": [], "hardware": 3.5, "discarded": "yes", "agent": "a" * 9000,
    }  # fmt: skip
    kinds = ("inference.call", "agent.turn", "agent.task", "agent.decision", "agent.tool_call")
    long = "\u00e4" * 9000
    # A task's end with an outcome that is none is refused at the door; the other types say what they like.
    data = {kind: hostile | {"task_id": long} | ({"outcome": None} if kind == "agent.task" else {}) for kind in kinds}
    put(organization_id, [event(kind, 1) | {"data": data[kind]} for kind in kinds])
    put(organization_id, [event("agent.turn", 2) | {"data": data} for data in ({"task_id": {"a": 1}},)])
    projection.advance_task_summaries()
    [task] = TaskSummary.objects.all()
    assert (task.inference_calls, task.outcome, task.attempts, len(task.agent)) == (1, None, 1, 255)


def test_discarded_attempts_cost_and_count_no_turns(organization_id):
    lost = [one | {"id": f"lost-{n}", "data": one["data"] | {"discarded": True}} for n, one in enumerate(a_task()[:4])]
    again = [one | {"data": one["data"] | {"attempt": 2}} for one in a_task()]
    put(organization_id, [*lost, *again])
    projection.advance_task_summaries()
    [task] = TaskSummary.objects.all()
    assert (task.attempts, task.turns, task.decisions, task.inference_calls, task.events) == (2, 2, 2, 2, 12)
    assert CallUsage.objects.get().cost == Decimal("0.045")


def test_two_workers_at_once_and_organizations_apart(organization_id):
    other = make_api("Other").organization.pk
    put(organization_id, a_task())
    put(other, a_task("t-9"))
    assert projection.advance_task_summaries() >= 2
    assert TaskProjection.objects.count() == 2
    assert projection.advance_task_summaries() == 0
    assert list(TaskSummary.objects.order_by("task_id").values_list("task_id", "organization_id")) == [
        ("t-1", organization_id),
        ("t-9", other),
    ]


KINDS = st.sampled_from(["agent.task", "agent.turn", "inference.call"])
CHANGES = st.lists(st.tuples(KINDS, st.integers(0, 3), st.booleans()), min_size=1, max_size=12)


@given(CHANGES, st.integers(1, 11))
@settings(max_examples=examples(15, thorough=200))
def test_taking_back_undoes_counting_and_steps_make_no_difference(drawn, cut):
    changes = []
    for place, (kind, hour, is_voided) in enumerate(drawn):
        data = {"task_id": "t", "input_tokens": place, "outcome": "failed", "agent": f"a{place}"}
        reading = read_event(type=kind, customer=None, time=NOW + timedelta(hours=hour), data=data)
        changes.append(Change(1, place, str(place), reading))
        if is_voided:
            changes.append(Change(-1, 100 + place, str(place), reading))
    whole, calls = fold_all(changes)
    stepped: TaskTotals | None = None
    for change in [*changes[:cut], *changes[cut:]]:
        stepped = fold_task(stepped, change)
    assert stepped == whole
    assert whole is not None
    kept = [
        change
        for change in changes
        if change.sign > 0 and (-1, change.identity) not in {(c.sign, c.identity) for c in changes}
    ]
    assert whole.turns == sum(change.reading.type == "agent.turn" for change in kept)
    assert (whole.outcome is None) == (not any(change.reading.type == "agent.task" for change in kept))
    assert sum(group.calls for group in calls) == sum(change.reading.call is not None for change in kept)
    for change in kept:
        if change.reading.call is not None:
            group = call_group(change.reading)
            fold_call(group, change)
            assert group.input_tokens == change.reading.call.input_tokens
