"""Eight writers and two projection workers on one PostgreSQL, and `kill -9` at random: nothing lost, nothing twice.

`TAXIMETER_KILLS` is how many kills there are (50), `TAXIMETER_KILL_SEED` whom they hit and what is written.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest

from launcher import process
from launcher.paths import ROOT
from tests.metering.killed_writers import SOURCE, WRITERS, answered, batch_of
from tests.system import System

KILLS = int(os.environ.get("TAXIMETER_KILLS", "50"))
SEED = int(os.environ.get("TAXIMETER_KILL_SEED", "3"))
PROJECTION_WORKERS = 2

METERS: dict[str, dict[str, Any]] = {
    "events": {"event_type": "t", "aggregation": "count"},
    "sum": {"event_type": "t", "aggregation": "sum", "value": "data.n"},
    "people": {"event_type": "t", "aggregation": "unique_count", "value": "data.who"},
}
DIMENSIONS = {"model": "data.model"}
BUCKETS = """
SELECT scope, subject, day, part.start, dimensions, value, b.events, b.quantity, part.events, part.quantity
FROM metering_usagebucket b
CROSS JOIN LATERAL unnest(part_starts, part_events, part_quantities) AS part (start, events, quantity)
JOIN metering_meterversion v ON v.id = b.meter_version_id JOIN metering_meter m ON m.id = v.meter_id
WHERE m.key = %s AND part.events <> 0 ORDER BY scope, subject, day, dimensions, value, part.start
"""


class Party:
    """The writers and projection workers at work, each started again when it was killed."""

    def __init__(self, system: System, nursery: subprocess.Popen[str]) -> None:
        self.system, self.nursery = system, nursery
        self.pids: dict[str, int] = {}

    def start(self, name: str) -> None:
        assert self.nursery.stdin
        assert self.nursery.stdout
        self.nursery.stdin.write(f"{name}\n")
        self.nursery.stdin.flush()
        self.pids[name] = int(self.nursery.stdout.readline())

    def kill_one(self, kind: str, draw: random.Random) -> None:
        """Kill a `writer`, a `projection` worker, a `backend` of PostgreSQL or the whole `server`."""
        if kind == "server":
            self.system.kill("postgres")
            self.system.services.start_postgres()
        elif kind == "backend":
            os.kill(draw.choice(self._backends()), signal.SIGKILL)
        else:
            name = draw.choice(sorted(name for name in self.pids if name.startswith(kind)))
            assert process.is_alive(self.pids[name]), self.log()
            os.kill(self.pids[name], signal.SIGKILL)
            self.start(name)

    def _backends(self) -> list[int]:
        """PostgreSQL's processes that work for a client; a server that is just recovering may have none yet."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [pid for pid in process.every_pid() if self._is_backend(pid)]
            return bool(found)

        assert process.wait_until(look, seconds=60)
        return found

    def _is_backend(self, pid: int) -> bool:
        assert self.system.services.postgres
        command = process.command_of(pid)
        return "[local]" in command and _parent(pid) == self.system.services.postgres.pid

    def finish_writing(self) -> None:
        """Let every writer have an answer for what it is sending, and end."""
        (self.system.var / "stop").touch()
        writers = [pid for name, pid in self.pids.items() if name.startswith("writer")]
        assert process.wait_until(lambda: not any(map(process.is_alive, writers)), seconds=60), self.log()
        assert "Traceback" not in self.log(), self.log()

    def log(self) -> str:
        return self.system.log("party").read_text()[-5000:]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@contextmanager
def party(system: System, organization_id: int) -> Iterator[Party]:
    command = [sys.executable, "-m", "tests.metering.killed_writers", str(organization_id), str(SEED), str(system.var)]
    with (
        system.log("party").open("w") as log,
        subprocess.Popen(
            process.shimmed(command, stop_signal="KILL"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=system.environment,
            cwd=ROOT,
        ) as nursery,
    ):
        try:
            yield Party(system, nursery)
        finally:
            nursery.kill()


class Vendor:
    """The API of the organization `vendor`."""

    def __init__(self, system: System) -> None:
        system.manage("create_organization", "Vendor")
        key = system.manage("create_api_key", "--organization", "vendor", "--scope", "admin").stdout.strip()
        headers = {"authorization": f"Bearer {key}"}
        self.client = httpx.Client(base_url=f"{system.address}/api/v1/", headers=headers, timeout=30)

    def make_meters(self, suffix: str = "") -> None:
        for key, definition in METERS.items():
            body = {"key": key + suffix, "dimensions": DIMENSIONS, **definition}
            assert self.client.post("meters", json=body).status_code == 201

    def stored(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        cursor = None
        while cursor or not events:
            page = self.client.get("events", params={"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
            events += page["data"]
            cursor = page["next_cursor"]
        return events

    def usage(self, meter: str, window: str, zone: str, group_by: str) -> dict[tuple[Any, ...], Decimal]:
        span = {"from": "2026-10-20T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
        parameters = span | {"window": window, "timezone": zone, "group_by": group_by}
        answer = self.client.get(f"meters/{meter}/usage", params=parameters)
        assert answer.status_code == 200, answer.text
        return {
            (row["start"], row.get("customer"), row.get("group", {}).get("model")): Decimal(row["quantity"])
            for row in answer.json()["data"]
        }

    def is_projected(self, meter: str) -> bool:
        return bool(self.client.get(f"meters/{meter}").json()["projection"]["state"] == "live")


def naive_usage(
    events: list[dict[str, Any]], meter: str, window: str, zone: str, group_by: str
) -> dict[tuple[Any, ...], Decimal]:
    """The same from the events themselves, one by one."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["type"] == "t" and not event["voided"]:
            customer = event["subject"] if "customer" in group_by else None
            model = event["data"]["model"] if "model" in group_by else None
            groups[_window_start(event["time"], window, zone), customer, model].append(event["data"])
    combine: dict[str, Callable[[list[dict[str, Any]]], Decimal]] = {
        "events": lambda found: Decimal(len(found)),
        "sum": lambda found: sum((Decimal(str(data["n"])) for data in found), Decimal(0)),
        "people": lambda found: Decimal(len({data["who"] for data in found})),
    }
    return {key: combine[meter](found) for key, found in groups.items()}


def _window_start(time: str, window: str, zone: str) -> str:
    instant = datetime.fromisoformat(time)
    if window == "total":
        return "2026-10-20T00:00:00Z"
    if window == "day":
        local = instant.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, fold=0)
        instant = local.astimezone(ZoneInfo("UTC"))
    elif window == "hour":
        instant -= timedelta(minutes=instant.minute, seconds=instant.second)
    else:
        instant -= timedelta(seconds=instant.second)
    return instant.isoformat().replace("+00:00", "Z")


def check_log(system: System, events: list[dict[str, Any]]) -> None:
    """What was answered is what is stored: each identity once, with the content that was not refused."""
    stored = {event["id"]: event for event in events}
    assert len(stored) == len(events)
    sent, taken_back = set(), set()
    for writer in range(WRITERS):
        for note in answered(system.var, writer):
            batch = batch_of(SEED, writer, note["batch"])
            taken_back |= set(batch.voids)
            for index, event in enumerate(batch.events):
                sent.add(event["id"])
                found = stored[event["id"]]
                same = (event["type"], event["subject"], event["data"]) == (
                    found["type"], found["subject"], found["data"],
                ) and datetime.fromisoformat(event["time"]) == datetime.fromisoformat(found["time"])  # fmt: skip
                assert same == (index not in note["rejected"]), (writer, note, event, found)
    assert set(stored) == sent
    assert {event["source"] for event in events} == {SOURCE}
    assert {event["id"] for event in events if event["voided"]} == taken_back


def check_usage(vendor: Vendor, events: list[dict[str, Any]]) -> None:
    for meter in METERS:
        for question in (
            ("total", "UTC", ""),
            ("total", "UTC", "customer,model"),
            ("day", "Europe/Berlin", "customer"),
            ("day", "Asia/Kolkata", ""),
            ("hour", "UTC", "model"),
            ("minute", "UTC", ""),
        ):
            assert vendor.usage(meter, *question) == naive_usage(events, meter, *question), (meter, question)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds PostgreSQL's processes in /proc")
def test_nothing_is_lost_or_counted_twice_whoever_is_killed(system_alone: System) -> None:
    system, draw = system_alone, random.Random(SEED)
    print(f"TAXIMETER_KILLS={KILLS} TAXIMETER_KILL_SEED={SEED}")  # noqa: T201 - to repeat a failure
    system.start("web")
    vendor = Vendor(system)
    vendor.make_meters()
    with psycopg.connect(system.postgres_url) as database:
        [[organization_id]] = database.execute("SELECT id FROM accounts_organization").fetchall()
    shares = {"writer": 0.56, "projection": 0.24, "backend": 0.12}
    victims = [kind for kind, share in shares.items() for _ in range(round(KILLS * share))]
    victims += ["server"] * (KILLS - len(victims))
    draw.shuffle(victims)
    with party(system, organization_id) as everyone:
        for number in range(WRITERS):
            everyone.start(f"writer {number}")
        for number in range(PROJECTION_WORKERS):
            everyone.start(f"projection {number}")
        for kind in victims:
            time.sleep(draw.uniform(0.05, 0.4))
            everyone.kill_one(kind, draw)
        everyone.finish_writing()
        events = vendor.stored()
        check_log(system, events)
        check_usage(vendor, events)

        # The same meters made anew are counted from the whole log.
        vendor.make_meters("_again")
        meters = [key + suffix for key in METERS for suffix in ("", "_again")]
        projected = process.wait_until(lambda: all(map(vendor.is_projected, meters)), seconds=60, interval=0.2)
        assert projected, everyone.log()
    with psycopg.connect(system.postgres_url) as database:
        for key in METERS:
            kept, rebuilt = (database.execute(BUCKETS, [name]).fetchall() for name in (key, f"{key}_again"))
            assert kept
            assert kept == rebuilt, key
    check_usage(vendor, events)
