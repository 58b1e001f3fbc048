"""Months that have left the log: an organization with events, and every question about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from accounts.facade import create_organization
from kernel.period import Month, Period
from metering.facade import (
    EventQuestion,
    LineQuestion,
    LogPosition,
    TaskMeter,
    UsageQuestion,
    advance_projections,
    changes_in_log,
    create_meter,
    detach_month,
    events_of_task,
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
from metering.models import LogArchive, UsageEvent

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OCTOBER = Month(2026, 10)
SOURCE = "edge/1"
METERS: dict[str, dict[str, Any]] = {
    name: {"event_type": "t", "aggregation": name, "value": "data.n", "dimensions": {"model": "data.model"}}
    for name in ("sum", "unique_count", "max", "min", "latest", "average")
} | {"count": {"event_type": "t", "aggregation": "count", "dimensions": {"model": "data.model"}}}


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
        "subject": [None, "acme", "globex", "größe|7"][number % 4],
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
            "hours": replace(base, period=odd, window="hour", customers=("acme", "größe|7"), by_customer=True),
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
