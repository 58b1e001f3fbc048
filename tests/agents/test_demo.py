"""The demo, played by its command on real services and an engine with a tiny model."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from agents.demo.schedule import last_month, planned_tasks
from tests.inference.engine_process import MODELS, Engine, start_engine
from tests.system import System


@pytest.fixture
def engine(monkeypatch) -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-llama.gguf")
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(engine.socket))
    yield engine
    engine.stop()


def counts(system: System) -> dict[str, int]:
    """Events by type, invoices and billing runs."""
    with psycopg.connect(system.postgres_url) as db:
        found = dict(db.execute("SELECT type, count(*) FROM metering_usageevent GROUP BY type").fetchall())
        for table in ("billing_invoice", "billing_billingrun", "accounts_user", "billing_subscription"):
            found[table] = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def fingerprint(system: System) -> list[tuple[object, ...]]:
    with psycopg.connect(system.postgres_url) as db:
        return db.execute("SELECT identity, content_hash FROM metering_eventidentity ORDER BY identity").fetchall()


def test_it_bills_last_month_under_four_plans_and_repeats_nothing(system, engine):
    output = system.manage("play_demo", "--address", "http://127.0.0.1:1").stdout
    first, events = counts(system), fingerprint(system)
    assert first["agent.task"] == 32 + 10
    assert first["agent.turn"] == first["inference.call"] + 69
    assert first["billing_invoice"] == first["billing_subscription"] == 5
    for name in (
        "Harbor Air, Seats",
        "Lumen Labs, Compute time",
        "Fjord Travel, Agent activity",
        "Quill Software, Hyb",
    ):
        assert name in output
    assert re.search(r"Harbor Air, Seats .* 150\.00 USD", output)
    assert re.search(r"Meridian Air, Agent activity .* 8\.63 USD", output)  # 69 x 0.05 + 23 x 0.01 + 5 x 0.99
    assert "http://127.0.0.1:1" in output
    assert "operator@demo.example" in output
    again = system.manage("play_demo", "--address", "http://127.0.0.1:1").stdout
    assert counts(system) == first
    assert fingerprint(system) == events
    assert again.splitlines()[-20:] == output.splitlines()[-20:]


def test_the_password_is_for_its_user_alone_and_signs_in(system, engine):
    system.manage("play_demo")
    path = Path(system.environment["TAXIMETER_VAR"]) / "demo-password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()  # lost: the next time makes another one
    output = system.manage("play_demo").stdout
    assert path.read_text().strip() in output
    assert counts(system)["accounts_user"] == 1


def test_killed_in_the_middle_it_goes_on_where_it_was(system, engine):
    for tasks in (1, 12, 25):
        running = system.start_manage("play_demo")
        wait_for_tasks(system, tasks + 10)
        running.kill()
        running.wait(10)
    system.manage("play_demo")
    found = counts(system)
    assert found["agent.task"] == 42
    assert found["agent.turn"] == found["inference.call"] + 69
    assert found["billing_invoice"] == 5
    with psycopg.connect(system.postgres_url) as db:
        whole = db.execute(
            """
            SELECT bool_and((task.data->>'turns')::int = (
                SELECT count(*) FROM metering_usageevent turn
                WHERE turn.type = 'agent.turn' AND turn.data->>'task_id' = task.data->>'task_id'))
            FROM metering_usageevent task WHERE task.type = 'agent.task'
            """
        ).fetchone()
    assert whole == (True,)


def wait_for_tasks(system: System, at_least: int) -> None:
    deadline = time.monotonic() + 60
    while counts(system).get("agent.task", 0) < at_least:
        assert time.monotonic() < deadline, "the demo does not get on"
        time.sleep(0.01)


def test_without_an_engine_it_says_so_and_bills_nothing(system, tmp_path, monkeypatch):
    monkeypatch.setenv("TAXIMETER_ENGINE_SOCKET", str(tmp_path / "nobody.sock"))
    done = system.manage("play_demo", check=False)
    assert done.returncode != 0
    assert "engine is not answering" in done.stderr
    assert "Traceback" not in done.stderr
    assert counts(system)["billing_invoice"] == 0


@pytest.mark.parametrize("anchor", ["2026-11-23T22:00:00", "2026-11-01T00:00:00", "2024-03-01T00:00:01"])
def test_tasks_are_planned_before_the_anchor_and_whole_within_their_month(anchor):
    now = datetime.fromisoformat(anchor).replace(tzinfo=UTC)
    month = last_month(now).period(ZoneInfo("UTC"))
    tasks = planned_tasks(now)
    assert len({task.task_id for task in tasks}) == 32
    inside = [task for task in tasks if task.starts_at in month]
    assert len(inside) == 28
    assert all(task.starts_at + timedelta(minutes=4) < month.end for task in inside)
    assert all(month.end <= task.starts_at <= now for task in tasks if task not in inside)


def test_the_plan_of_tasks_is_the_same_each_time():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert planned_tasks(now) == planned_tasks(now)
