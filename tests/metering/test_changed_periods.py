"""Which closed periods changed: late events and events taken back, between two snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.facade import create_organization
from metering.facade import ChangedDay, changed_periods, ingest, void_event

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def organization_id() -> int:
    return int(create_organization(name="Vendor").pk)


def snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def changed(organization_id: int, since: str, until: str | None = None) -> list[ChangedDay]:
    return changed_periods(organization_id=organization_id, since=since, until=until, before=NOVEMBER)


@pytest.fixture
def send(organization_id: int, event: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    def send(event_id: str, time: str, subject: str | None = "acme") -> None:
        sent = event(event_id, time=time, subject=subject)
        assert ingest(organization_id=organization_id, events=[sent], received_at=NOW).accepted == 1

    return send


def test_a_late_event_changes_its_customers_day_in_utc(organization_id: int, send: Callable[..., None]) -> None:
    send("e1", "2026-10-03T12:00:00Z")
    since = snapshot()
    send("e2", "2026-10-31T23:59:59.999999Z")
    send("e3", "2026-10-05T01:00:00+02:00", "globex")
    send("e4", "2026-10-31T20:00:00Z")
    assert changed(organization_id, since) == [
        ChangedDay("acme", date(2026, 10, 31)),
        ChangedDay("globex", date(2026, 10, 4)),
    ]


def test_what_is_not_before_the_end_or_has_no_customer_changes_nothing(
    organization_id: int, send: Callable[..., None]
) -> None:
    since = snapshot()
    send("e1", "2026-11-01T00:00:00Z")
    send("e2", "2026-10-03T12:00:00Z", None)
    assert changed(organization_id, since) == []


def test_an_event_taken_back_changes_the_day_it_happened_on(organization_id: int, send: Callable[..., None]) -> None:
    send("e1", "2026-10-03T12:00:00Z")
    since = snapshot()
    void_event(organization_id=organization_id, source="edge/berlin-7", event_id="e1", reason="test", at=NOW)
    assert changed(organization_id, since) == [ChangedDay("acme", date(2026, 10, 3))]


def test_what_the_second_snapshot_could_not_see_is_left_to_the_next_time(
    organization_id: int, send: Callable[..., None]
) -> None:
    first = snapshot()
    send("e1", "2026-10-03T12:00:00Z")
    second = snapshot()
    send("e2", "2026-10-04T12:00:00Z")
    third = snapshot()
    assert changed(organization_id, first, second) == [ChangedDay("acme", date(2026, 10, 3))]
    assert changed(organization_id, second, third) == [ChangedDay("acme", date(2026, 10, 4))]
    assert changed(organization_id, third) == []


def test_another_organizations_events_change_nothing(organization_id: int, send: Callable[..., None]) -> None:
    other = int(create_organization(name="Other").pk)
    since = snapshot()
    send("e1", "2026-10-03T12:00:00Z")
    assert changed(other, since) == []


@pytest.fixture
def another_session() -> Iterator[psycopg.Connection[Any]]:
    connection.ensure_connection()
    info = connection.connection.info
    with psycopg.connect(host=info.host, port=info.port, dbname=info.dbname, user=info.user) as session:
        yield session


def test_a_transaction_open_at_the_snapshot_counts_once_it_has_ended(
    organization_id: int, send: Callable[..., None], another_session: psycopg.Connection[Any]
) -> None:
    send("e1", "2026-10-03T12:00:00Z")
    another_session.execute(
        "INSERT INTO metering_eventcorrection"
        " (id, organization_id, event_id, reason, created_at, source, sent_id, type, subject, time, data)"
        " SELECT 'cor_1', organization_id, identity, 'slow', now(), source, event_id, type, subject, time, data"
        " FROM metering_usageevent"
    )
    send("e2", "2026-10-09T12:00:00Z")  # a younger transaction, done before
    since = snapshot()
    assert changed(organization_id, since) == []
    another_session.commit()
    assert changed(organization_id, since) == [ChangedDay("acme", date(2026, 10, 3))]
    assert changed(organization_id, since, snapshot()) == [ChangedDay("acme", date(2026, 10, 3))]
