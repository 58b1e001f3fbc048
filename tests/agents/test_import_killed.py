"""An import that is killed or loses its database, and is run again, comes to what one that was not comes to."""

from __future__ import annotations

import io
import time
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from agents.facade import set_up_organization
from tests.system import System

DATA = Path(__file__).parents[1] / "data"
TRACE = [
    "import_events", str(DATA / "azure_llm_inference_conv.csv.gz"), "--organization", "vendor", "--customer", "azure",
    "--type", "inference.call", "--time", "TIMESTAMP",
    "--data", "input_tokens=ContextTokens,output_tokens=GeneratedTokens",
]  # fmt: skip
RUNS = [
    "import_runs", str(DATA / "airline_runs.jsonl.gz"), "--organization", "vendor", "--customer", "skyline",
    "--agent", "airline", "--start", "2026-10-05T08:00:00Z", "--every", "5m",
]  # fmt: skip


def test_killed_in_the_middle_and_run_again_it_is_complete(system: System) -> None:
    system.manage("create_organization", "Vendor")
    with psycopg.connect(system.postgres_url, autocommit=True) as db:
        importing = system.start_manage(*TRACE)
        before = 0
        deadline = time.monotonic() + 60
        while not before and time.monotonic() < deadline:
            time.sleep(0.002)
            ((before,),) = db.execute("SELECT COUNT(*) FROM metering_usageevent").fetchall()
        importing.kill()
        importing.wait(10)
        ((before,),) = db.execute("SELECT COUNT(*) FROM metering_usageevent").fetchall()
        assert 0 < before <= 19_366
        system.manage(*TRACE)
        found = db.execute(
            "SELECT COUNT(*), SUM((data ->> 'input_tokens')::numeric), SUM((data ->> 'output_tokens')::numeric)"
            " FROM metering_usageevent"
        ).fetchall()
    assert found == [(19_366, 22_361_870, 4_088_665)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("strict", [False, True])
def test_a_lost_database_is_said_clearly_and_the_next_run_goes_on(strict: bool) -> None:
    set_up_organization(name="Vendor")
    arguments = [*RUNS, "--strict"] if strict else RUNS
    with connection.cursor() as cursor:
        # The server ends this very session when the first run is written.
        cursor.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NEW; END';"
            "CREATE TRIGGER lose BEFORE INSERT ON metering_usageevent EXECUTE FUNCTION lose()"
        )
    try:
        with pytest.raises(CommandError, match=r"The database went away: .*\n.*Run the same command again"):
            call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO())
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER lose ON metering_usageevent; DROP FUNCTION lose()")
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    assert out.getvalue().splitlines()[2] == "events: 2,473 accepted, 0 duplicates; lines rejected: 0"
