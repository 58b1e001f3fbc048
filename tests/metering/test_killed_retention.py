"""`kill -9` while a month leaves the log or comes back: every event is in one of the two, and the next run ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from launcher import process
from tests.system import System

EVENTS = 40_000
FILL = """
WITH event AS (
    SELECT gen_random_uuid() AS identity, i, '2026-10-01'::timestamptz + i * interval '1 minute' AS time
    FROM generate_series(0, %(events)s - 1) i
), known AS (
    INSERT INTO metering_eventidentity (identity, content_hash, time) SELECT identity, identity, time FROM event
)
INSERT INTO metering_usageevent
    (identity, organization_id, source, event_id, type, subject, time, received_at, data)
SELECT identity, o.id, 'edge', 'e' || i, 't', 'c' || i % 9, time, time, jsonb_build_object('n', i) FROM event,
       accounts_organization o
"""
#: Whether PostgreSQL has noticed that the killed process is gone.
GONE = "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')"
SUM = "SELECT COUNT(*), SUM((data ->> 'n')::bigint) FROM metering_usageevent"


@pytest.fixture
def filled(system: System) -> Iterator[Callable[[str], Any]]:
    """A log of October and a part of November; asks its database."""
    system.manage("create_organization", "Vendor")
    with psycopg.connect(system.postgres_url, autocommit=True) as database:
        database.execute("SELECT metering_make_partition('2026-10-01')")
        database.execute(FILL.replace("%(events)s", str(EVENTS)))

        def ask(statement: str) -> Any:
            return database.execute(statement).fetchall()

        system.manage("shell", "-c", "from metering.facade import advance_projections; advance_projections()")
        yield ask


def killed(system: System, command: str, moment: Callable[[], bool]) -> bool:
    """Whether the command was killed at that moment, and not done before."""
    running = system.start_manage(command, "--month", "2026-10")
    assert process.wait_until(lambda: moment() or running.poll() is not None, seconds=60, interval=0.005)
    was_running = running.poll() is None
    running.kill()
    running.wait(10)
    return was_running


def test_a_month_that_leaves_and_comes_back_is_never_lost_nor_there_twice(
    system: System, filled: Callable[[str], Any]
) -> None:
    ask, directory = filled, Path(system.var) / "archive"
    before = ask(SUM)
    october = 31 * 24 * 60

    def writing() -> bool:
        return any(directory.glob(".*")) if directory.exists() else False

    def written() -> bool:
        return any(directory.glob("events-2026-10-*")) if directory.exists() else False

    for moment in (writing, written):
        assert killed(system, "detach_month", moment) or moment is written
        assert process.wait_until(lambda: ask(GONE) == [(True,)], seconds=30)
        archived = ask("SELECT events FROM metering_logarchive")
        assert archived in ([], [(min(october, EVENTS),)])
        if not archived:
            assert ask(SUM) == before
    system.manage("detach_month", "--month", "2026-10")
    assert ask("SELECT COALESCE(SUM(events), 0) FROM metering_logarchive") == [(min(october, EVENTS),)]
    assert ask("SELECT COUNT(*) FROM metering_usageevent WHERE time < '2026-11-01'") == [(0,)]
    assert len(list(directory.glob("events-2026-10-*"))) == 1
    assert not writing()

    # Its statements can be seen while it works.
    killed(system, "attach_month", lambda: bool(ask(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY metering_usageevent%' AND state = 'active'"
    )))  # fmt: skip
    assert process.wait_until(lambda: ask(GONE) == [(True,)], seconds=30)
    system.manage("attach_month", "--month", "2026-10")
    assert ask(SUM) == before
    assert ask("SELECT COUNT(*) FROM metering_logarchive") == [(0,)]
    assert not written()
