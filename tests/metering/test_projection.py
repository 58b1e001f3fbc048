from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections, transaction

from accounts.facade import create_organization
from kernel.period import Period
from metering.facade import (
    UsageQuestion,
    advance_projections,
    create_meter,
    create_meter_version,
    ingest,
    usage,
    usage_of_version,
    void_event,
)
from metering.models import MeterVersion, Scope, UsageBucket, UsageEvent
from metering.services import projections

NOW = datetime(2026, 10, 20, tzinfo=UTC)
OCTOBER = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))

pytestmark = pytest.mark.django_db(transaction=True)


def cloud_event(event_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "s",
        "type": "t",
        "subject": "acme",
        "time": "2026-10-03T10:00:00Z",
        "data": {"n": 1},
    } | changes


@pytest.fixture
def organization_id() -> int:
    organization_id = create_organization(name="Vendor").pk
    create_meter(
        organization_id=organization_id,
        key="n",
        name="n",
        definition={"event_type": "t", "aggregation": "sum", "value": "data.n"},
    )
    return organization_id


def total(organization_id: int) -> int:
    [row] = usage(UsageQuestion(organization_id=organization_id, meter="n", period=OCTOBER))
    return int(row.quantity)


def projected(meter: str = "n") -> int:
    """The events in the meter's buckets, which are the same number in each scope, by day and by part."""
    buckets = UsageBucket.objects.filter(meter_version__meter__key=meter)
    days = {sum(buckets.filter(scope=scope).values_list("events", flat=True)) for scope in Scope}
    parts = {sum(map(sum, buckets.filter(scope=scope).values_list("part_events", flat=True))) for scope in Scope}
    assert len(days | parts) == 1
    return days.pop()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_slow_transaction_is_neither_skipped_nor_counted_twice(organization_id: int) -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            ingest(organization_id=organization_id, events=[cloud_event("slow")], received_at=NOW)
            written.set()
            go_on.wait(20)

    thread = in_thread(slow)
    assert written.wait(20)
    ingest(organization_id=organization_id, events=[cloud_event("fast")], received_at=NOW)
    advance_projections()
    assert total(organization_id) == 1
    go_on.set()
    thread.join()
    assert total(organization_id) == 2
    advance_projections()
    assert (total(organization_id), projected()) == (2, 2)


def test_a_step_that_dies_leaves_nothing_half_done(organization_id: int) -> None:
    ingest(organization_id=organization_id, events=[cloud_event("a"), cloud_event("b")], received_at=NOW)
    version = MeterVersion.objects.get()

    class Killed(Exception):
        pass

    def step_and_die() -> None:
        with transaction.atomic():
            projections.advance_projection(meter_version_id=version.pk, watermark=projections.current_watermark())
            raise Killed

    with pytest.raises(Killed):
        step_and_die()
    assert not UsageBucket.objects.exists()
    assert MeterVersion.objects.get().projected_to == 0
    assert total(organization_id) == 2


def test_a_backlog_is_taken_in_steps_and_answers_stay_exact_between_them(
    organization_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "STEP", 3)
    for batch in range(5):
        events = [cloud_event(f"{batch}-{i}") for i in range(2)]
        ingest(organization_id=organization_id, events=events, received_at=NOW)
    version = MeterVersion.objects.get()
    seen = []
    while projections.advance_projection(meter_version_id=version.pk, watermark=projections.current_watermark()):
        seen.append(projected())
        assert total(organization_id) == 10
    assert seen == [4, 8, 10]


def test_many_writers_and_two_projection_workers_agree_to_the_event(organization_id: int) -> None:
    done = threading.Event()
    acknowledged = [0] * 4
    wrong: list[str] = []

    def write(writer: int) -> None:
        for batch in range(15):
            events = [cloud_event(f"{writer}-{batch}-{i}") for i in range(10)]
            # Half of every batch is sent by the neighbour too.
            events += [cloud_event(f"{(writer + 1) % 4}-{batch}-{i}") for i in range(5)]
            result = ingest(organization_id=organization_id, events=events, received_at=NOW)
            acknowledged[writer] += result.accepted

    def project() -> None:
        while not done.is_set():
            advance_projections()

    def read() -> None:
        while not done.is_set():
            before = sum(acknowledged)
            if (found := total(organization_id)) < before:
                wrong.append(f"{found} < {before}")

    writers = [in_thread(lambda n=n: write(n)) for n in range(4)]
    others = [in_thread(project), in_thread(project), in_thread(read)]
    for thread in writers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    advance_projections()
    assert wrong == []
    assert sum(acknowledged) == UsageEvent.objects.count() == total(organization_id) == 600
    assert projected() == 600


def test_a_meter_made_after_its_events_counts_them_too(organization_id: int) -> None:
    ingest(organization_id=organization_id, events=[cloud_event("a"), cloud_event("b")], received_at=NOW)
    advance_projections()
    create_meter(
        organization_id=organization_id, key="late", name="late", definition={"event_type": "t", "aggregation": "count"}
    )
    question = UsageQuestion(organization_id=organization_id, meter="late", period=OCTOBER)
    assert usage(question)[0].quantity == 2
    advance_projections()
    assert usage(question)[0].quantity == 2
    assert projected("late") == 2


def test_latest_goes_by_event_time_and_then_by_identity(organization_id: int) -> None:
    create_meter(
        organization_id=organization_id,
        key="last",
        name="last",
        definition={"event_type": "t", "aggregation": "latest", "value": "data.n"},
    )
    events = [cloud_event("a", time="2026-10-05T00:00:00Z", data={"n": 7}), cloud_event("b", data={"n": 9})]
    events += [cloud_event(f"tie-{i}", time="2026-10-06T00:00:00Z", data={"n": i}) for i in range(5)]
    ingest(organization_id=organization_id, events=events, received_at=NOW)
    highest = UsageEvent.objects.filter(event_id__startswith="tie").order_by("-identity").first()
    assert highest is not None
    [row] = usage(UsageQuestion(organization_id=organization_id, meter="last", period=OCTOBER))
    assert row.quantity == highest.data["n"]


def test_the_log_refuses_to_be_edited(organization_id: int) -> None:
    ingest(organization_id=organization_id, events=[cloud_event("a")], received_at=NOW)
    with pytest.raises(Exception, match="append-only"):
        UsageEvent.objects.update(subject="globex")


def test_a_batch_takes_the_same_number_of_statements_however_large(
    organization_id: int, django_assert_max_num_queries: Any
) -> None:
    for size in (2, 500):
        events = [cloud_event(f"{size}-{i}") for i in range(size)]
        with django_assert_max_num_queries(7):
            ingest(organization_id=organization_id, events=events, received_at=NOW)


def test_only_the_newest_version_of_a_meter_is_projected_and_the_old_one_still_answers(organization_id: int) -> None:
    ingest(organization_id=organization_id, events=[cloud_event("a")], received_at=NOW)
    advance_projections()
    old = MeterVersion.objects.select_related("meter").get()
    definition = {"event_type": "t", "aggregation": "sum", "value": "data.n", "dimensions": {"n": "data.n"}}
    new = create_meter_version(meter=old.meter, definition=definition)
    ingest(organization_id=organization_id, events=[cloud_event("b")], received_at=NOW)
    assert advance_projections() == 1
    seen = {version.pk: version.projected_to for version in MeterVersion.objects.all()}
    assert seen[old.pk] == old.projected_to < seen[new.pk]
    question = UsageQuestion(organization_id=organization_id, meter="n", period=OCTOBER)
    assert [row.quantity for row in usage_of_version(old, question)] == [2]
    assert total(organization_id) == 2


def test_a_meter_with_hardly_fewer_groups_than_events_is_left_to_the_log(
    organization_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "MANY_GROUPS", 5)
    for key, dimension in (("task", "data.task"), ("agent", "data.agent")):
        definition = {"event_type": "t", "aggregation": "count", "dimensions": {key: dimension}}
        create_meter(organization_id=organization_id, key=key, name=key, definition=definition)

    def count(meter: str) -> int:
        return int(usage(UsageQuestion(organization_id=organization_id, meter=meter, period=OCTOBER))[0].quantity)

    for batch in range(3):
        events = [
            cloud_event(f"{batch}-{i}", data={"n": 1, "task": f"{batch}-{i}", "agent": f"{i % 2}"}) for i in range(8)
        ]
        ingest(organization_id=organization_id, events=events, received_at=NOW)
        advance_projections()
        assert (count("task"), count("agent"), projected("task"), projected("agent")) == (
            *(2 * [8 * batch + 8]),
            8,
            8 * batch + 8,
        )
    given_up = MeterVersion.objects.filter(unbounded=True).values_list("meter__key", flat=True)
    assert list(given_up) == ["task"]


def test_a_dimension_longer_than_an_index_can_hold_is_projected(organization_id: int) -> None:
    definition = {"event_type": "t", "aggregation": "count", "dimensions": {"text": "data.text"}}
    create_meter(organization_id=organization_id, key="texts", name="texts", definition=definition)
    digits = "".join(f"{i * i:x}" for i in range(10_000))
    events = [cloud_event(name, data={"n": 1, "text": digits + name}) for name in ("a", "b")]
    ingest(organization_id=organization_id, events=events, received_at=NOW)
    advance_projections()
    question = UsageQuestion(organization_id=organization_id, meter="texts", period=OCTOBER, group_by=("text",))
    assert {row.group["text"]: row.quantity for row in usage(question)} == {digits + "a": 1, digits + "b": 1}
    assert projected("texts") == 2


def test_an_event_in_an_hour_that_a_zone_cuts_counts_once_whether_projected_or_not(organization_id: int) -> None:
    question = UsageQuestion(
        organization_id=organization_id,
        meter="n",
        period=OCTOBER,
        window="day",
        timezone="Asia/Kolkata",
        customers=("acme",),
    )
    events = [cloud_event("a", time="2026-10-03T18:10:00Z"), cloud_event("b", time="2026-10-03T18:40:00Z")]
    ingest(organization_id=organization_id, events=events, received_at=NOW)
    days = [(datetime(2026, 10, 2, 18, 30, tzinfo=UTC), 1), (datetime(2026, 10, 3, 18, 30, tzinfo=UTC), 1)]
    for _ in range(2):
        assert [(row.start, row.quantity) for row in usage(question)] == days
        advance_projections()
    void_event(organization_id=organization_id, source="s", event_id="a", reason="test", at=NOW)
    for _ in range(2):
        assert [(row.start, row.quantity) for row in usage(question)] == days[1:]
        advance_projections()


def test_a_day_with_two_midnights_begins_at_the_first(organization_id: int) -> None:
    # In Havana 1 November 2026 begins at 04:00 UTC; an hour later its clocks go back to midnight.
    ingest(organization_id=organization_id, events=[cloud_event("a", time="2026-11-01T12:00:00Z")], received_at=NOW)
    period = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    question = UsageQuestion(
        organization_id=organization_id, meter="n", period=period, window="day", timezone="America/Havana"
    )
    [row] = usage(question)
    assert (row.start, row.end) == (
        datetime(2026, 11, 1, 4, tzinfo=UTC),
        datetime(2026, 11, 2, 5, tzinfo=UTC),
    )
