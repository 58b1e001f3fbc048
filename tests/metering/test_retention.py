"""Months that have left the log: every answer is what it was before, whatever comes later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from accounts.facade import create_organization
from kernel.period import Month, Period
from metering.archive import files
from metering.contracts import ArchiveUnavailable
from metering.facade import (
    EventQuestion,
    LineQuestion,
    LogPosition,
    TaskMeter,
    UsageQuestion,
    advance_projections,
    amend_event,
    attach_month,
    changed_periods,
    changes_in_log,
    create_meter,
    detach_month,
    events_of_task,
    find_event,
    get_meter_version,
    ingest,
    line_events,
    line_quantity,
    list_events,
    organizations_behind,
    usage,
    usage_of_tasks,
    void_event,
)
from metering.models import LogArchive, MeterVersion, UsageEvent
from metering.queries.meters import projection_progress
from metering.services.projections import advance_projection, current_watermark
from metering.services.retention import MonthNotProjected, MonthOpen, keep_log
from tests.api import Api

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OCTOBER = Month(2026, 10)
SOURCE = "edge/1"
METERS: dict[str, dict[str, Any]] = {
    name: {"event_type": "t", "aggregation": name, "value": "data.n", "dimensions": {"model": "data.model"}}
    for name in ("sum", "unique_count", "max", "min", "latest", "average")
} | {"count": {"event_type": "t", "aggregation": "count", "dimensions": {"model": "data.model"}}}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def archive_directory(settings: Any, tmp_path: Path) -> Path:
    settings.ARCHIVE_DIR = str(tmp_path / "archive")
    return tmp_path / "archive"


@pytest.fixture
def organization_id() -> int:
    return int(create_organization(name="Vendor").pk)


def event(number: int, **changes: Any) -> dict[str, Any]:
    """From 28 September to 5 November, every 89 minutes; numbers to four places, negative ones too."""
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": SOURCE,
        "type": "u" if number % 7 == 0 else "t",
        "subject": [None, "acme", "globex", 'na"me,\n'][number % 4],
        "time": datetime(2026, 9, 28, tzinfo=UTC) + timedelta(minutes=89 * number),
        "data": {
            "n": ["1.2500", 3, -2, "1e-3", 0.1][number % 5],
            "model": ["a", "b", None][number % 3],
            "task_id": f"task-{number // 10}",
            "text": 'quoted "text", with\nlines',
        },
    } | changes


def send(organization_id: int, events: list[dict[str, Any]]) -> None:
    result = ingest(organization_id=organization_id, events=events, received_at=NOW)
    assert (result.accepted, result.rejected) == (len(events), [])


@pytest.fixture
def filled(organization_id: int) -> int:
    """620 events, three taken back, and meters whose projections have all of it."""
    for start in range(0, 620, 155):
        send(organization_id, [event(number) for number in range(start, start + 155)])
    for number in (100, 333, 610):
        void(organization_id, number)
    make_meters(organization_id)
    advance_projections()
    return organization_id


def make_meters(organization_id: int, suffix: str = "") -> None:
    for name, definition in METERS.items():
        create_meter(organization_id=organization_id, key=name + suffix, name=name, definition=definition)


def void(organization_id: int, number: int) -> None:
    void_event(organization_id=organization_id, source=SOURCE, event_id=f"e{number}", reason="test", at=NOW)


def detach(month: Month = OCTOBER) -> LogArchive | None:
    return detach_month(month=month, now=NOW)


def in_log(organization_id: int) -> int:
    period = OCTOBER.period(ZoneInfo("UTC"))
    events = UsageEvent.objects.filter(organization_id=organization_id)
    return events.filter(time__gte=period.start, time__lt=period.end).count()


def snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def answers(organization_id: int, seen: str) -> dict[str, Any]:
    """What can be asked: usage by every meter in all ways of reading it, lists of events, an invoice line."""
    lists = {
        "events": pages(organization_id),
        "of a task": pages(organization_id, data={"task_id": "task-12"}),
        "of a model": pages(organization_id, data={"model": "a"}, customer="acme"),
    }
    return usages(organization_id, METERS) | lists | lines(organization_id, METERS, seen)


def usages(organization_id: int, meters: Iterable[str], suffix: str = "") -> dict[str, Any]:
    whole = Period(datetime(2026, 9, 28, tzinfo=UTC), datetime(2026, 11, 6, tzinfo=UTC))
    october = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    odd = Period(datetime(2026, 10, 3, 4, 7, tzinfo=UTC), datetime(2026, 10, 29, 23, 52, tzinfo=UTC))
    found: dict[str, Any] = {}
    for meter in meters:
        base = UsageQuestion(organization_id=organization_id, meter=meter + suffix, period=whole)
        questions = {
            "total": base,
            "days": replace(base, window="day", timezone="Europe/Berlin", by_customer=True),
            "cut days": replace(base, period=odd, window="day", timezone="Asia/Kolkata", customers=("acme",)),
            "kolkata": replace(base, period=october, window="day", timezone="Asia/Kolkata", group_by=("model",)),
            "hours": replace(base, period=odd, window="hour", customers=("acme", 'na"me,\n'), by_customer=True),
            "minutes": replace(base, period=october, window="minute", where={"model": "a"}),
        }
        found |= {f"{meter} {name}": usage(question) for name, question in questions.items()}
    return found


def lines(organization_id: int, meters: Iterable[str], seen: str) -> dict[str, Any]:
    october = OCTOBER.period(ZoneInfo("UTC"))
    found: dict[str, Any] = {}
    for meter in meters:
        version = get_meter_version(organization_id=organization_id, meter=meter)
        line = LineQuestion(version.pk, "acme", october, {"model": "b"}, seen)
        found[f"line {meter}"] = (line_quantity(line), line_events(line, limit=1000)[0])
    return found


def streams(organization_id: int) -> dict[str, Any]:
    """What other rooms' projections read: the changes in their order, a task's events, what meters count of tasks."""
    changes, position, more = [], LogPosition(), True
    while more:
        found, position, more = changes_in_log(organization_id=organization_id, types=["t"], after=position, limit=60)
        changes += found
    events = [one for one in pages(organization_id) if one.data["task_id"] == "task-12"]
    identities = [one.identity for one in events]
    xids = sorted({change.xid for change in changes if change.identity in identities})
    task: dict[str, Any] = {"organization_id": organization_id, "transactions": xids, "since": position.xid}
    meters = [
        TaskMeter(get_meter_version(organization_id=organization_id, meter=meter), {}) for meter in ("sum", "max")
    ]
    return {
        "changes": changes,
        "behind": organizations_behind({organization_id: LogPosition(3)}),
        "of a task": events_of_task(task_id="task-12", limit=5, **task),
        "usage": usage_of_tasks(meters=meters, task_ids=["task-12", "task-60"], **task),
    }


def pages(organization_id: int, **filters: Any) -> list[Any]:
    question, found, cursor = EventQuestion(organization_id=organization_id, **filters), [], None
    while True:
        events, cursor = list_events(question, limit=80, cursor=cursor)
        found += events
        if cursor is None:
            return found


def test_every_answer_stays_what_it_was_when_a_month_leaves_and_when_it_comes_back(filled: int) -> None:
    seen = snapshot()
    before = answers(filled, seen)
    assert len(before["events"]) == 620
    archive = detach()
    assert archive is not None
    assert (in_log(filled), archive.events) == (0, 502)
    assert answers(filled, seen) == before
    assert attach_month(month=OCTOBER) == 502
    assert in_log(filled) == 502
    assert not LogArchive.objects.exists()
    assert not list(files.directory().iterdir())
    assert answers(filled, seen) == before


@pytest.mark.parametrize("projected", [False, True])
def test_what_comes_after_the_month_has_left_counts_as_if_it_had_not(filled: int, projected: bool) -> None:
    """The same late events, voids and amendments, with October in the log and out of it."""
    twin = int(create_organization(name="Twin").pk)
    late = [event(1000 + n, time=datetime(2026, 10, 5, 12, n, tzinfo=UTC)) for n in range(9)]
    for start in range(0, 620, 155):
        send(twin, [event(number) for number in range(start, start + 155)])
    for number in (100, 333, 610):
        void(twin, number)
    make_meters(twin)
    advance_projections()

    def change(organization_id: int) -> None:
        send(organization_id, late)
        void(organization_id, 200)
        void(organization_id, 1003)
        amend_event(
            organization_id=organization_id, source=SOURCE, event_id="e201", reason="wrong", at=NOW,
            replacement=event(2000, time="2026-10-07T00:00:00Z", subject="acme"),
        )  # fmt: skip

    detach()
    change(filled)
    if projected:
        advance_projections()
    since_the_months_left = answers(filled, snapshot())
    attach_month(month=OCTOBER)
    change(twin)
    kept_in_the_log = answers(twin, snapshot())
    for key, rows in kept_in_the_log.items():
        if "event" not in key and "of a" not in key and "line" not in key:
            assert since_the_months_left[key] == rows, key
    assert [one.id for one in since_the_months_left["events"]] == [one.id for one in kept_in_the_log["events"]]
    for meter in METERS:
        assert since_the_months_left[f"line {meter}"][0] == kept_in_the_log[f"line {meter}"][0]


def test_late_events_make_a_second_part(filled: int) -> None:
    detach()
    send(filled, [event(1000 + n, time=datetime(2026, 10, 5, 12, n, tzinfo=UTC)) for n in range(9)])
    advance_projections()
    before = answers(filled, snapshot())
    second = detach()
    assert second is not None
    assert (second.part, second.events, in_log(filled)) == (2, 9, 0)
    assert detach() is None
    assert answers(filled, snapshot()) == before
    assert attach_month(month=OCTOBER) == 511
    assert answers(filled, snapshot()) == before


def test_projections_of_other_rooms_read_what_has_left(filled: int) -> None:
    before = streams(filled)
    assert (len(before["changes"]), before["behind"]) == (534, [filled])
    detach()
    assert streams(filled) == before
    attach_month(month=OCTOBER)
    assert streams(filled) == before


def test_a_new_meter_counts_what_has_left(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_EVENTS", 150)
    monkeypatch.setattr("metering.services.projections.STEP", 100)
    before = usages(filled, METERS)
    archive = detach()
    assert archive is not None
    assert archive.row_groups == 4
    make_meters(filled, " again")

    def now() -> list[tuple[Any, ...]]:
        pairs = [usages(filled, ["sum", "unique_count"], suffix) for suffix in ("", " again")]
        return [tuple(one.values()) for one in pairs]

    assert tuple(usages(filled, METERS, " again").values()) == tuple(before.values())
    version = get_meter_version(organization_id=filled, meter="sum again")
    assert projection_progress(version.meter) == {"state": "building", "progress": 0}
    steps = 0
    while advance_projection(meter_version_id=version.pk, watermark=current_watermark()):
        steps += 1
        if steps in {1, 3}:
            void(filled, 300 + steps)
            void(filled, 610 - steps)
            kept, made = now()
            assert kept == made
    assert steps > 4
    advance_projections()
    assert projection_progress(version.meter) == {"state": "live", "progress": 1}
    kept, made = now()
    assert kept == made


def test_a_month_comes_back_while_a_new_meter_takes_it_in(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_EVENTS", 150)
    monkeypatch.setattr("metering.services.projections.STEP", 100)
    before = tuple(usages(filled, METERS).values())
    detach()
    make_meters(filled, " again")
    version = get_meter_version(organization_id=filled, meter="sum again")
    assert advance_projection(meter_version_id=version.pk, watermark=current_watermark())
    assert MeterVersion.objects.get(pk=version.pk).archived
    attach_month(month=OCTOBER)
    assert tuple(usages(filled, METERS, " again").values()) == before
    advance_projections()
    assert tuple(usages(filled, METERS, " again").values()) == before


def test_identity_holds_for_events_that_have_left(filled: int) -> None:
    detach()
    result = ingest(organization_id=filled, events=[event(100), event(101, subject="other")], received_at=NOW)
    assert (result.accepted, result.duplicates, [one.code for one in result.rejected]) == (0, 1, ["id_conflict"])
    assert ingest(organization_id=filled, events=[event(102)], received_at=NOW).duplicates == 1


def test_an_event_that_has_left_is_found_by_its_identity(filled: int) -> None:
    [wanted] = UsageEvent.objects.filter(organization_id=filled, event_id="e102")
    detach()
    found = find_event(organization_id=filled, identity=wanted.pk)
    assert found is not None
    assert (found.event_id, found.data, found.time, found.xid) == ("e102", wanted.data, wanted.time, wanted.xid)
    assert find_event(organization_id=filled + 1, identity=wanted.pk) is None


def test_changed_days_are_told_of_late_events_that_have_left(filled: int) -> None:
    since = snapshot()
    send(filled, [event(1000, time="2026-10-05T12:00:00Z", subject="acme")])
    advance_projections()
    before = datetime(2026, 11, 1, tzinfo=UTC)
    asked = {"organization_id": filled, "since": since, "until": None, "before": before}
    changed = changed_periods(**asked)
    assert [(one.subject, one.day.isoformat()) for one in changed] == [("acme", "2026-10-05")]
    detach()
    assert changed_periods(**asked) == changed
    void(filled, 101)
    assert [one.day.isoformat() for one in changed_periods(**asked)] == ["2026-10-04", "2026-10-05"]


def test_a_month_leaves_when_it_is_over_and_projected(filled: int) -> None:
    with pytest.raises(MonthOpen):
        detach_month(month=Month(2026, 11), now=NOW)
    send(filled, [event(1000, time="2026-10-05T12:00:00Z", subject="acme")])
    with pytest.raises(MonthNotProjected):
        detach()
    assert in_log(filled) == 503
    assert detach(Month(2026, 8)) is None


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_without_its_file_nothing_is_said_that_needs_it(filled: int, damage: str) -> None:
    archive = detach()
    assert archive is not None
    path = files.directory() / archive.file
    content = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(content[:1000] + b"?" + content[1001:])
    question = UsageQuestion(organization_id=filled, meter="max", period=OCTOBER.period(ZoneInfo("UTC")))
    with pytest.raises(ArchiveUnavailable):
        usage(question)
    with pytest.raises(ArchiveUnavailable):
        attach_month(month=OCTOBER)
    with pytest.raises(ArchiveUnavailable):
        pages(filled)
    assert usage(replace(question, meter="count"))[0].quantity == 428  # buckets have that
    path.write_bytes(content)
    assert usage(question)[0].quantity == Decimal(3)


def test_the_api_says_503_archive_unavailable(api: Api) -> None:
    send(api.organization.pk, [event(number) for number in range(300)])
    make_meters(api.organization.pk)
    advance_projections()
    archive = detach()
    assert archive is not None
    (files.directory() / archive.file).unlink()
    answer = api.get("meters/max/usage?from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z")
    assert (answer.status_code, answer.json()["code"]) == (503, "archive_unavailable")


def test_a_question_within_one_snapshot_is_answered_of_it(filled: int) -> None:
    """A month leaves between two questions of a transaction that sees one snapshot, by another session."""
    question = UsageQuestion(organization_id=filled, meter="max", period=OCTOBER.period(ZoneInfo("UTC")), window="day")
    expected = usage(question)
    detach()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert usage(question) == expected
        assert usage(replace(question, customers=("acme",))) != expected
        assert usage(question) == expected


def test_partitions_are_made_for_near_months_only_and_go_when_empty(filled: int) -> None:
    far = [event(1000 + year, time=f"{year}-05-05T00:00:00Z") for year in (1970, 2020, 2500, 2999)]
    send(filled, far)
    partitions = set(partition_names())
    assert {"metering_usageevent_2026_10", "metering_usageevent_2026_11", "metering_usageevent_other"} <= partitions
    assert not {name for name in partitions if name[-7:-3] in {"1970", "2020", "2500", "2999"}}
    assert UsageEvent.objects.filter(organization_id=filled, time__year=2999).count() == 1
    advance_projections()
    detach()
    assert "metering_usageevent_2026_10" not in partition_names()
    attach_month(month=OCTOBER)
    assert "metering_usageevent_2026_10" in partition_names()


def partition_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'metering_usageevent'::regclass"
        )
        return [name for (name,) in cursor.fetchall()]


def test_a_far_month_leaves_the_default_partition(filled: int) -> None:
    send(filled, [event(1000 + day, time=datetime(2001, 5, 1 + day, tzinfo=UTC)) for day in range(5)])
    advance_projections()
    before = answers(filled, snapshot())
    archive = detach(Month(2001, 5))
    assert archive is not None
    assert archive.events == 5
    assert answers(filled, snapshot()) == before


def test_the_log_keeps_as_many_months_as_it_should(filled: int) -> None:
    before = answers(filled, snapshot())
    assert keep_log(now=NOW, kept_months=0) == []
    assert [str(one.month) for one in keep_log(now=NOW, kept_months=1)] == ["2026-09-01"]
    assert [str(one.month) for one in keep_log(now=NOW + timedelta(days=31), kept_months=1)] == ["2026-10-01"]
    assert keep_log(now=NOW + timedelta(days=31), kept_months=1) == []
    assert answers(filled, snapshot()) == before
    assert {"metering_usageevent_2026_12", "metering_usageevent_2027_02"} <= set(partition_names())
