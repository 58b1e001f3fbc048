"""Ended tasks are counted by day as the tasks themselves tell, whatever came late or was taken back."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.facade import EndedTasks, ended_tasks
from agents.models import EndedDay, TaskSummary
from agents.queries.ended import whole_days
from agents.services import projection
from kernel.period import Period
from metering.facade import ingest, void_event
from tests.api import make_api

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture
def organization_id(transactional_db: None) -> int:
    return int(make_api("vendor").organization.pk)


def end(task: str, hours: float = 0, *, agent: str | None = "support", outcome: str = "succeeded", **data: Any) -> Any:
    named = {"agent": agent} if agent else {}
    return {
        "specversion": "1.0", "id": f"{task}/{hours}/{outcome}", "source": "desk", "type": "agent.task",
        "subject": data.pop("customer", "acme"), "time": (NOON + timedelta(hours=hours)).isoformat(),
        "data": {"task_id": task, "outcome": outcome, **named, **data},
    }  # fmt: skip


def put(organization_id: int, *events: Any) -> None:
    assert not ingest(organization_id=organization_id, events=list(events), received_at=NOON).rejected
    projection.advance_task_summaries()


def ended(organization_id: int, start: datetime, end: datetime, **fields: Any) -> dict[tuple[str, str], int]:
    found = ended_tasks(organization_id=organization_id, period=Period(start, end), **fields)
    return {(one.agent, one.outcome): one.tasks for one in found}


def stored() -> dict[tuple[int, str, str], int]:
    return {(row.day.day, row.agent, row.outcome): row.tasks for row in EndedDay.objects.filter(tasks__gt=0)}


def test_whole_days_are_counted_beside_the_tasks_of_days_in_part(organization_id: int) -> None:
    put(
        organization_id,
        end("late-on-the-30th", -13),
        end("noon", 0),
        end("failed", 1, outcome="failed"),
        end("nobody's", 2, agent=None),
        end("next-morning", 20),
        end("tried", 0, environment="test"),
    )
    assert stored() == {
        (30, "support", "succeeded"): 1,
        (31, "support", "succeeded"): 1,
        (31, "support", "failed"): 1,
        (31, "", "succeeded"): 1,
        (1, "support", "succeeded"): 1,
    }
    start, until = datetime(2026, 10, 30, 22, tzinfo=UTC), datetime(2026, 11, 1, 9, tzinfo=UTC)
    everyone = {("support", "succeeded"): 3, ("support", "failed"): 1, ("", "succeeded"): 1}
    assert ended(organization_id, start, until) == everyone
    assert ended(organization_id, start, until, customers=["acme"]) == everyone
    assert ended(organization_id, start, until, agent="support", customers=["birch"]) == {}
    assert ended(organization_id, start, NOON, agent="support") == {("support", "succeeded"): 1}


def test_an_end_that_is_corrected_or_taken_back_is_counted_as_what_it_is_now(organization_id: int) -> None:
    put(organization_id, end("t-1"), end("t-2", 1))
    put(organization_id, end("t-1", 14, outcome="failed"))
    assert stored() == {(1, "support", "failed"): 1, (31, "support", "succeeded"): 1}
    void_event(organization_id=organization_id, source="desk", event_id="t-1/14/failed", reason="wrong", at=NOON)
    projection.advance_task_summaries()
    assert stored() == {(31, "support", "succeeded"): 2}
    void_event(organization_id=organization_id, source="desk", event_id="t-2/1/succeeded", reason="wrong", at=NOON)
    projection.advance_task_summaries()
    assert stored() == {(31, "support", "succeeded"): 1}
    assert ended(organization_id, NOON - timedelta(days=3), NOON + timedelta(days=3)) == {("support", "succeeded"): 1}


def test_the_counts_are_made_anew_from_the_log_in_any_steps(organization_id: int) -> None:
    put(organization_id, *(end(f"t-{i}", -i, outcome=("failed", "succeeded")[i % 2]) for i in range(40)))
    before = stored()
    assert sum(before.values()) == TaskSummary.objects.count() == 40
    projection.rebuild(organization_id=organization_id)
    assert stored() == {}
    while projection.advance(organization_id=organization_id, step=7):
        pass
    assert stored() == before


def test_days_answer_what_the_tasks_do(organization_id: int) -> None:
    put(organization_id, *(end(f"t-{i}", -3 * i, agent=f"a-{i % 3}") for i in range(60)))
    for zone in ("UTC", "Asia/Kolkata", "America/St_Johns"):
        for first in (24, 29, 31):
            start = datetime(2026, 10, first, tzinfo=ZoneInfo(zone))
            until = datetime(2026, 11, 1, tzinfo=ZoneInfo(zone))
            ended_at = TaskSummary.objects.filter(ended_at__gte=start, ended_at__lt=until)
            counted = Counter((str(row.agent), str(row.outcome)) for row in ended_at)
            assert ended(organization_id, start, until) == counted
    assert EndedTasks("a-0", "succeeded", 20) in ended_tasks(
        organization_id=organization_id, period=Period(NOON - timedelta(days=9), NOON + timedelta(days=1))
    )


@given(
    st.timedeltas(timedelta(), timedelta(days=31)),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=5)),
)
def test_whole_days_are_all_that_lie_within_a_period(after: timedelta, long: timedelta) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + after
    period = Period(start, start + long)
    found = whole_days(period)
    midnights = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=i) for i in range(40)]
    within = [one for one in midnights if period.start <= one and one + timedelta(days=1) <= period.end]
    assert (found.start, found.end) == (within[0], within[-1] + timedelta(days=1)) if found else within == []
