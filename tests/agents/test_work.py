"""What calls used and cost by model, hardware and region: summed over tasks, and the same however it is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.domain.days import nearest_months
from agents.facade import CostQuestion, WorkQuestion, costs, work
from agents.models import CallDay, CallHour, CallMonth, CallUsage, CostRate
from agents.services import projection
from kernel.period import Period
from metering.facade import ingest, void_event
from tests.api import make_api

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)
OCTOBER = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture
def organization_id(transactional_db: None) -> int:
    return int(make_api("vendor").organization.pk)


def call(id: str, hours: int = 0, *, task: str = "t-1", customer: str = "acme", **data: Any) -> dict[str, Any]:
    used = {
        "provider": "p",
        "model": "m",
        "hardware": "cpu",
        "region": "eu",
        "input_tokens": 1000,
        "compute_seconds": "2",
    }
    return {
        "specversion": "1.0", "id": id, "source": "desk", "type": "inference.call", "subject": customer,
        "time": (NOON + timedelta(hours=hours)).isoformat(),
        "data": {"task_id": task, "agent": "support", **used, **data},
    }  # fmt: skip


def put(organization_id: int, *events: dict[str, Any]) -> None:
    assert not ingest(organization_id=organization_id, events=list(events), received_at=NOON).rejected
    projection.advance_task_summaries()


def rate(organization_id: int, price: str, since: datetime) -> None:
    CostRate.objects.create(
        organization_id=organization_id, provider="p", model="m", input_per_million=Decimal(price), effective_from=since
    )


def asked(
    organization_id: int, *group_by: str, **fields: Any
) -> dict[tuple[str, ...], tuple[int, int, Decimal, Decimal]]:
    """Tasks, calls, compute seconds and US dollars by group."""
    question = WorkQuestion(organization_id, **{"period": OCTOBER} | fields, group_by=group_by)
    return {
        tuple(row.group.values()): (row.tasks, row.calls, row.quantities["compute_seconds"], row.costs.amount)
        for row in work(question)
    }


def test_calls_are_told_apart_by_model_hardware_and_region(organization_id: int) -> None:
    rate(organization_id, "10", datetime(2026, 1, 1, tzinfo=UTC))
    put(
        organization_id,
        call("1"),
        call("2", task="t-2", region="us", hardware="l4"),
        call("3", task="t-3", customer="birch", region=""),
    )
    one = (1, 1, Decimal(2), Decimal("0.01"))
    assert asked(organization_id, "region") == {("eu",): one, ("us",): one, ("",): one}
    assert asked(organization_id, "hardware", region="us") == {("l4",): one}
    assert asked(organization_id, "customer", "model") == {
        ("acme", "m"): (2, 2, Decimal(4), Decimal("0.02")),
        ("birch", "m"): one,
    }
    assert asked(organization_id, customers=("birch",)) == {(): one}
    assert asked(organization_id, model="other") == {}


def test_each_hour_is_priced_by_its_own_rate_as_costs_are(organization_id: int) -> None:
    rate(organization_id, "10", datetime(2026, 1, 1, tzinfo=UTC))
    rate(organization_id, "30", NOON + timedelta(hours=1))
    put(organization_id, call("1"), call("2", hours=1), call("3", hours=2))
    # A thousand tokens: one cent, then three.
    [whole] = asked(organization_id).values()
    assert whole[3] == Decimal("0.07")
    [same] = costs(CostQuestion(organization_id, OCTOBER.start, OCTOBER.end))
    assert same.costs.amounts == {"USD": Decimal("0.07")}
    [of_customer] = asked(organization_id, customers=("acme",)).values()
    assert of_customer == whole


def test_days_are_those_of_the_zone(organization_id: int) -> None:
    put(organization_id, call("1"), call("2", hours=11))  # 12:00 and 23:00 UTC: the second is November in Berlin
    zone = ZoneInfo("Europe/Berlin")
    days = Period(datetime(2026, 10, 31, tzinfo=zone), datetime(2026, 11, 2, tzinfo=zone))
    rows = work(WorkQuestion(organization_id, days, window="day", zone=zone))
    assert sorted((row.start.astimezone(zone).day, row.calls) for row in rows if row.start) == [(1, 1), (31, 1)]


def test_a_task_counts_once_where_its_first_call_was_whatever_is_taken_back(organization_id: int) -> None:
    put(organization_id, call("1"), call("2", hours=1), call("3", hours=13))
    first = Period(NOON, NOON + timedelta(hours=1))
    later = Period(NOON + timedelta(hours=1), OCTOBER.end)
    assert asked(organization_id)[()][:2] == (1, 2)
    assert [asked(organization_id, period=part)[()][0] for part in (first, later)] == [1, 0]
    void_event(organization_id=organization_id, source="desk", event_id="1", reason="test", at=NOON)
    projection.advance_task_summaries()
    assert asked(organization_id, period=later)[()][:2] == (1, 1)
    assert asked(organization_id, period=later, customers=("acme",))[()][:2] == (1, 1)
    assert sum(CallHour.objects.values_list("tasks", flat=True)) == CallUsage.objects.filter(is_first=True).count() == 1


@pytest.mark.parametrize("window", ["total", "day", "month"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin", "Pacific/Apia"])
def test_days_answer_what_their_hours_do(organization_id: int, zone: str, window: str) -> None:
    rate(organization_id, "10", datetime(2026, 1, 1, tzinfo=UTC))
    rate(organization_id, "30", datetime(2026, 10, 24, 7, tzinfo=UTC))
    put(
        organization_id, *(call(str(i), hours=-7 * i, task=f"t-{i % 9}", region=("eu", "us")[i % 2]) for i in range(99))
    )
    here = ZoneInfo(zone)
    periods = [
        Period(datetime(2026, 10, day, tzinfo=here), datetime(2026, month, 2, tzinfo=here))
        for day, month in ((1, 11), (3, 11), (24, 11), (31, 11))
    ]
    periods.append(Period(NOON - timedelta(days=9, minutes=30), NOON - timedelta(hours=1)))

    def answers(**fields: Any) -> list[Any]:
        asked = (WorkQuestion(organization_id, one, ("region",), window, here, **fields) for one in periods)
        rows = (sorted(work(one), key=lambda row: (row.start or NOON, row.group["region"])) for one in asked)
        return [
            [(row.start, row.group, row.tasks, row.calls, row.quantities, row.costs) for row in one] for one in rows
        ]

    assert answers() == answers(customers=("acme",))
    assert any(answers())


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_months_of_customers_answer_what_their_hours_do(organization_id: int, zone: str) -> None:
    rate(organization_id, "10", datetime(2026, 1, 1, tzinfo=UTC))
    rate(organization_id, "30", datetime(2026, 8, 24, 7, tzinfo=UTC))
    rate(organization_id, "50", datetime(2026, 10, 1, tzinfo=UTC))
    events = [
        call(
            str(i), hours=-37 * i, task=f"t-{i // 3}", customer=("acme", "birch")[i % 2], region=("eu", "us")[i % 3 % 2]
        )
        for i in range(99)
    ]
    put(organization_id, *events)
    void_event(organization_id=organization_id, source="desk", event_id="8", reason="test", at=NOON)
    projection.advance_task_summaries()
    assert {month.month for month in CallMonth.objects.values_list("month", flat=True)} == {6, 7, 8, 9, 10}
    here = ZoneInfo(zone)
    for first, last in ((1, 31), (3, 31), (1, 28), (12, 20), (31, 31)):
        for months in ((10, 10), (9, 10), (7, 8), (6, 10)):
            start = datetime(2026, months[0], min(first, 30), tzinfo=here)
            until = datetime(2026, months[1], min(last, 30), tzinfo=here) + timedelta(days=1)
            of_months = asked(organization_id, "customer", "region", period=Period(start, until))
            by_agent = asked(organization_id, "customer", "region", "agent", period=Period(start, until))
            assert of_months == {key[:2]: row for key, row in by_agent.items()}
            assert asked(organization_id, period=Period(start, until), customers=["birch"], region="eu") == (
                {(): of_months["birch", "eu"]} if ("birch", "eu") in of_months else {}
            )


hours = st.integers(0, 24 * 130).map(lambda hour: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour))


@given(hours, hours, st.lists(hours, max_size=2))
def test_months_with_what_is_added_and_taken_off_are_the_period(
    one: datetime, other: datetime, changes: list[datetime]
) -> None:
    assume(one != other)
    period = Period(min(one, other), max(one, other))
    inside = sorted(change for change in changes if change in period and change != period.start)
    whole, more, less = nearest_months(period, changes=inside)
    for day in range(0, 24 * 155, 5):
        hour = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=day)
        counted = sum(hour in part for part in (*whole, *more)) - sum(hour in part for part in less)
        assert counted == (hour in period)
    for month in whole:
        assert not any(month.start < change < month.end for change in inside)
    assert sum((part.end - part.start for part in less), timedelta()) <= period.end - period.start


def test_a_day_is_the_sum_of_its_hours(organization_id: int) -> None:
    put(organization_id, *(call(str(i), hours=-5 * i, task=f"t-{i % 3}") for i in range(20)))
    void_event(organization_id=organization_id, source="desk", event_id="3", reason="test", at=NOON)
    projection.advance_task_summaries()
    sums: dict[datetime, list[Any]] = {}
    for hour, tasks, calls, seconds in CallHour.objects.values_list("hour", "tasks", "calls", "compute_seconds"):
        whole = sums.setdefault(hour.replace(hour=0), [0, 0, Decimal(0)])
        whole[:] = [whole[0] + tasks, whole[1] + calls, whole[2] + seconds]
    days = CallDay.objects.values_list("day", "tasks", "calls", "compute_seconds")
    assert {day: numbers for day, *numbers in days} == sums
    assert len(sums) == 5


def test_the_sums_are_made_anew_from_the_log(organization_id: int) -> None:
    put(organization_id, call("1"), call("2", hours=1), call("3", task="t-2"))

    def rows() -> list[Any]:
        names = ("kind_key", "hour", "tasks", "calls", "input_tokens", "region")
        days = CallDay.objects.values_list("day", "tasks", "calls")
        months = CallMonth.objects.values_list("month", "customer", "tasks", "calls", "input_tokens")
        return [*CallHour.objects.order_by("hour").values_list(*names), *days, *months]

    before = rows()
    projection.rebuild(organization_id=organization_id)
    assert rows() == []
    projection.advance_task_summaries()
    assert rows() == before
