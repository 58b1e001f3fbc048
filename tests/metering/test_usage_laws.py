"""Usage against a reference in plain Python: any order of events, duplicates, conflicts, voids, late
arrivals, projection steps, new meters and months that leave the log and come back gives the same answers, in every
window and zone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.facade import create_organization
from kernel.period import Month, Period
from metering.facade import (
    UsageQuestion,
    advance_projections,
    attach_month,
    create_meter,
    detach_month,
    ingest,
    usage,
    void_event,
)
from tests.examples import examples

NOW = datetime(2026, 12, 1, tzinfo=UTC)
PERIOD = Period(datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC))
OCTOBER = Month(2026, 10)
# Havana's clocks go back from 01:00 to 00:00 on 1 November: that day has two midnights.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Havana",
]
_names = count()

METERS: dict[str, dict[str, Any]] = {
    "count": {"event_type": "t", "aggregation": "count", "dimensions": {"model": "data.model"}},
    "filtered": {
        "event_type": "t",
        "aggregation": "count",
        "filters": [{"path": "data.model", "op": "ne", "value": "a"}, {"path": "data.n", "op": "gte", "value": 0}],
        "dimensions": {"model": "data.model"},
    },
    **{
        name: {"event_type": "t", "aggregation": name, "value": "data.n", "dimensions": {"model": "data.model"}}
        for name in ("sum", "unique_count", "max", "min", "latest", "average")
    },
}

# Around the end of daylight saving time in Berlin (25 October) and New York (1 November), to the minute.
# Most times crowd around two nights, so that they meet each other and the cuts.
_nights = st.builds(
    lambda night, n: night + timedelta(minutes=5 * n),
    st.sampled_from([datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)]),
    st.integers(-80, 80),
)
times = st.one_of(
    _nights,
    _nights,
    st.integers(0, 16 * 24 * 12).map(lambda n: PERIOD.start + timedelta(minutes=5 * n - 300)),
)
events = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abcdefghijklmnopqrst"),
        "time": times,
        "subject": st.sampled_from(["acme", "globex"]),
        "type": st.sampled_from(["t", "t", "t", "u"]),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "model": st.sampled_from(["a", "b"]),
                "n": st.sampled_from([0, 1, "2.5", -3, 0.1, "1e-3"]),
            },
        ),
    }
)
_steps = [
    st.lists(events, min_size=4, max_size=10),
    st.lists(events, min_size=4, max_size=10),
    st.sampled_from("abcdefghijklmnopqrst").map(lambda name: ("void", name)),
    st.just("project"),
    st.sampled_from(sorted(METERS)).map(lambda name: ("meter", name)),
]
steps = st.lists(st.one_of(_steps), min_size=4, max_size=12)
_moves = st.sampled_from(["detach", "detach", "attach"])
steps_with_moves = st.lists(st.one_of(*_steps, _moves, _moves), min_size=5, max_size=14)


@dataclass
class Reference:
    """What the log should hold, and the naive way to count it."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    voided: set[str] = field(default_factory=set)

    def take(self, batch: list[dict[str, Any]]) -> tuple[int, int, int]:
        accepted = duplicates = conflicts = 0
        for event in batch:
            known = self.kept.setdefault(event["id"], event)
            accepted += known is event
            duplicates += known is not event and known == event
            conflicts += known is not event and known != event
        return accepted, duplicates, conflicts

    def usage(self, question: UsageQuestion) -> dict[tuple[Any, ...], Decimal]:
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for name, event in self.kept.items():
            if name not in self.voided and _is_asked_for(question, event) and _counts(question.meter, event):
                key = (_window_start(event["time"], question), event["subject"] if question.by_customer else None)
                groups[(*key, *(event["data"].get(name) for name in question.group_by))].append(event)
        return {key: _combine(question.meter, found) for key, found in groups.items()}


def _is_asked_for(question: UsageQuestion, event: dict[str, Any]) -> bool:
    return (
        event["time"] in question.period
        and (question.customers is None or event["subject"] in question.customers)
        and all(event["data"].get(name) == value for name, value in question.where.items())
    )


def _counts(meter: str, event: dict[str, Any]) -> bool:
    number = event["data"].get("n")
    if event["type"] != "t":
        return False
    if meter == "count":
        return True
    if meter == "filtered":
        return event["data"].get("model") != "a" and number is not None and Decimal(str(number)) >= 0
    return number is not None


def _combine(meter: str, found: list[dict[str, Any]]) -> Decimal:
    numbers = [Decimal(str(event["data"].get("n", 0))) for event in found]
    if meter in {"count", "filtered"}:
        return Decimal(len(found))
    if meter == "unique_count":
        return Decimal(len({str(event["data"]["n"]) for event in found}))
    if meter == "latest":
        newest = max(event["time"] for event in found)
        return max(n for n, event in zip(numbers, found, strict=True) if event["time"] == newest)
    if meter == "average":
        return sum(numbers, Decimal(0)) / len(numbers)
    return {"sum": lambda: sum(numbers, Decimal(0)), "max": lambda: max(numbers), "min": lambda: min(numbers)}[meter]()


def _window_start(time: datetime, question: UsageQuestion) -> datetime:
    local = time.astimezone(ZoneInfo(question.timezone))
    if question.window == "total":
        return question.period.start
    if question.window == "minute":
        return max(time.replace(second=0, microsecond=0), question.period.start)
    if question.window == "hour":
        return max(time - timedelta(minutes=local.minute), question.period.start)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    start = midnight if question.window == "day" else midnight.replace(day=1)
    return max(start.astimezone(UTC), question.period.start)


questions = st.builds(
    lambda meter, window, zone, by_customer, grouped, customers, where, start, end: UsageQuestion(
        organization_id=0,
        meter=meter,
        period=Period(PERIOD.start + timedelta(minutes=start), PERIOD.end - timedelta(minutes=end)),
        window=window,
        timezone=zone,
        customers=customers,
        by_customer=by_customer,
        group_by=("model",) if grouped else (),
        where=where,
    ),
    st.sampled_from(sorted(METERS)),
    st.sampled_from(["total", "month", "day", "day", "hour", "minute"]),
    st.sampled_from(ZONES),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, None, ("acme",), ("globex", "acme"), ("globex", "nobody")]),
    st.sampled_from([{}, {}, {}, {"model": "a"}]),
    st.sampled_from([0, 0, 60, 90, 105, 7, 4 * 1440 + 1123]),
    st.sampled_from([0, 0, 60, 45, 8, 3 * 1440 + 343]),
)


@pytest.fixture(autouse=True)
def archive_directory(settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_DIR = str(tmp_path)


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=examples(25, thorough=300),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps, asked=st.lists(questions, min_size=8, max_size=8))
def test_usage_equals_the_naive_count_after_any_history(steps: list[Any], asked: list[UsageQuestion]) -> None:
    _check(steps, asked)


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=examples(8, thorough=100),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps_with_moves, asked=st.lists(questions, min_size=8, max_size=8))
def test_usage_is_the_same_with_a_month_out_of_the_log(steps: list[Any], asked: list[UsageQuestion]) -> None:
    _check(steps, asked)


def _check(steps: list[Any], asked: list[UsageQuestion]) -> None:
    organization_id = create_organization(name=f"Reference {next(_names)}").pk
    reference, made = Reference(), set[str]()

    def make(name: str) -> None:
        if name not in made:
            made.add(name)
            create_meter(organization_id=organization_id, key=name, name=name, definition=METERS[name])

    for step in steps:
        if step == "project":
            advance_projections()
        elif step == "detach":
            advance_projections()
            detach_month(month=OCTOBER, now=NOW)
        elif step == "attach":
            attach_month(month=OCTOBER)
        elif isinstance(step, list):
            batch = [_cloud_event(event) for event in step]
            result = ingest(organization_id=organization_id, events=batch, received_at=NOW)
            assert (result.accepted, result.duplicates, len(result.rejected)) == reference.take(step)
        elif step[0] == "meter":
            make(step[1])
        elif step[1] in reference.kept:
            void_event(organization_id=organization_id, source="s", event_id=step[1], reason="test", at=NOW)
            reference.voided.add(step[1])
    for name in METERS:
        make(name)
    for question in asked:
        object.__setattr__(question, "organization_id", organization_id)
        _compare(reference, question)
    advance_projections()
    for question in asked:
        _compare(reference, question)


def _compare(reference: Reference, question: UsageQuestion) -> None:
    found = {
        (row.start, row.customer, *(row.group[name] for name in question.group_by)): row.quantity
        for row in usage(question)
        if row.events
    }
    expected = reference.usage(question)
    assert found.keys() == expected.keys()
    for key, quantity in expected.items():
        if question.meter == "latest":
            continue  # its tie-break goes by identity; it has a test of its own
        assert abs(found[key] - quantity) < Decimal("1e-12"), (key, question)


def _cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"specversion": "1.0", "source": "s", "time": event["time"].isoformat()}
