"""Real files, imported and closed while `kill -9` takes the importer, the web server, the worker and
PostgreSQL: the same invoices as without. Events that go into quarantine and leave it, killed when that is half done."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from launcher import process
from tests.system import System

RUNS = "tests/data/airline_runs.jsonl.gz"
REQUESTS = "tests/data/azure_llm_inference_conv.csv.gz"
IMPORT_RUNS = [
    "import_runs", RUNS, "--format", "chat", "--organization", "vendor", "--customer", "skyline",
    "--agent", "airline", "--start", "2023-11-01T00:00:00Z", "--every", "5m",
]  # fmt: skip
IMPORT_REQUESTS = [
    "import_events", REQUESTS, "--organization", "vendor", "--type", "llm.request", "--customer", "azure",
    "--time", "TIMESTAMP", "--data", "input_tokens=ContextTokens,output_tokens=GeneratedTokens",
]  # fmt: skip


def per_unit(key: str, meter: str, amount: str) -> dict[str, Any]:
    return {"key": key, "kind": "usage", "meter": meter, "model": {"type": "per_unit", "unit_amount": amount}}


class Vendor:
    """The API of the organization `vendor` on a running system, for a client that tries again."""

    def __init__(self, system: System) -> None:
        self.system = system
        system.manage("create_organization", "Vendor")
        self.key = system.manage("create_api_key", "--organization", "vendor", "--scope", "admin").stdout.strip()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Until it answers, for up to a minute: the server may be dead at the moment."""
        last: object = None
        for _ in range(240):
            try:
                answer = httpx.request(
                    method,
                    f"{self.system.address}/api/v1/{path}",
                    json=body,
                    headers={"authorization": f"Bearer {self.key}"},
                    timeout=20,
                )
                if answer.status_code < 500:
                    return answer.json()
                last = answer.text
            except httpx.HTTPError as error:
                last = error
            time.sleep(0.25)
        raise AssertionError(f"{method} {path}: {last}")

    def set_up(self) -> None:
        for name in ("input", "output"):
            meter = {"event_type": "llm.request", "aggregation": "sum", "value": f"data.{name}_tokens"}
            self.call("POST", "meters", {"key": f"llm_{name}", **meter})
        activity = [
            per_unit("turns", "turns", "0.05"),
            per_unit("decisions", "decisions", "0.01"),
            per_unit("tasks", "succeeded_tasks", "0.99"),
        ]
        tokens = [per_unit("input", "llm_input", "0.00000015"), per_unit("output", "llm_output", "0.0000006")]
        for customer, plan, prices in (("skyline", "activity", activity), ("azure", "tokens", tokens)):
            self.call("POST", "plans", {"key": plan, "currency": "USD", "prices": prices})
            self.call("POST", "customers", {"key": customer})
            body = {"customer": customer, "plan": plan, "starts_at": "2023-11-01T00:00:00Z"}
            self.call("POST", "subscriptions", body)

    def invoices(self) -> list[dict[str, Any]]:
        return self.call("GET", "invoices?month=2023-11")["data"]

    def check(self) -> None:
        """The invoices that can be worked out by hand, numbered 1 and 2."""
        invoices = {invoice["customer"]: invoice for invoice in self.invoices()}
        assert sorted(invoice["number"] for invoice in invoices.values()) == ["INV-000001", "INV-000002"]
        lines = {
            name: [(line["price"], line["quantity"], line["amount"], line["events"]) for line in invoice["lines"]]
            for name, invoice in invoices.items()
        }
        assert lines == {
            "skyline": [
                ("turns", "1229", "61.45", 1229),
                ("decisions", "572", "5.72", 572),
                ("tasks", "43", "42.57", 43),
            ],
            "azure": [("input", "22361870", "3.35", 19366), ("output", "4088665", "2.45", 19366)],
        }
        assert (invoices["skyline"]["total"], invoices["azure"]["total"]) == ("109.74", "5.80")
        self._check_events(invoices["skyline"])

    def _check_events(self, invoice: dict[str, Any]) -> None:
        path = f"invoices/{invoice['id']}/lines/{invoice['lines'][0]['id']}/events?limit=1000"
        first = self.call("GET", path)
        second = self.call("GET", f"{path}&cursor={first['next_cursor']}")
        events = first["data"] + second["data"]
        assert (len(events), {event["type"] for event in events}) == (1229, {"agent.turn"})
        assert len({(event["source"], event["id"]) for event in events}) == 1229


def until_it_succeeds(system: System, command: list[str], disturb: Callable[[int], None]) -> None:
    """Run a command again and again, disturbed less and less, until it has ended well."""
    for attempt in itertools.count():
        assert attempt < 12, system.log("manage").read_text()[-2000:]
        running = system.start_manage(*command)
        if attempt < 4:
            time.sleep(1.2 + random.random())
            disturb(attempt)
            if attempt % 2 and running.poll() is None:
                running.kill()
        if running.wait(120) == 0:
            return


def test_the_same_invoices_come_out_whoever_is_killed(system_alone: System) -> None:
    system = system_alone
    system.start("web", "worker", "beat")
    vendor = Vendor(system)
    vendor.set_up()

    def kill_postgres_or_the_rest(attempt: int) -> None:
        if attempt % 2 == 0:
            system.kill("postgres")
            system.services.start_postgres()
        else:
            for name in ("web", "worker"):
                system.kill(name)
            system.start("web", "worker")

    until_it_succeeds(system, IMPORT_REQUESTS, kill_postgres_or_the_rest)
    until_it_succeeds(system, IMPORT_RUNS, kill_postgres_or_the_rest)

    run = vendor.call("POST", "billing_runs", {"month": "2023-11"})
    system.kill("worker")
    system.kill("postgres")
    system.services.start_postgres()
    system.start("worker")
    deadline = time.monotonic() + 90
    while vendor.call("GET", f"billing_runs/{run['id']}")["status"] in {"queued", "running"}:
        assert time.monotonic() < deadline, system.log("worker").read_text()[-3000:]
        time.sleep(0.3)
    vendor.check()

    for command in (IMPORT_REQUESTS, IMPORT_RUNS):
        system.manage(*command)
    before = vendor.invoices()
    system.manage("close_month", "--month", "2023-11", "--organization", "vendor")
    assert vendor.invoices() == before
    vendor.check()


@pytest.mark.parametrize("moment", [0.3, 0.9, 1.5])
def test_a_close_killed_by_hand_goes_on_where_it_was(system: System, moment: float) -> None:
    system.start("web")
    vendor = Vendor(system)
    fee = {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "5"}}
    vendor.call("POST", "plans", {"key": "p", "currency": "USD", "prices": [fee]})
    for i in range(40):
        vendor.call("POST", "customers", {"key": f"c{i}"})
        vendor.call("POST", "subscriptions", {"customer": f"c{i}", "plan": "p", "starts_at": "2023-11-01T00:00:00Z"})
    closing = system.start_manage("close_month", "--month", "2023-11", "--organization", "vendor")
    time.sleep(moment)
    closing.kill()
    closing.wait()
    system.manage("close_month", "--month", "2023-11", "--organization", "vendor")
    numbers = sorted(invoice["number"] for invoice in vendor.invoices())
    assert numbers == [f"INV-{n:06d}" for n in range(1, 41)]


_WAITING = """
SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND l.relation = %s::regclass AND NOT l.granted
"""
#: What is left of an act that was cut off: events in the log, identities, and what waits in quarantine.
_KEPT = """
SELECT (SELECT array_agg(event_id ORDER BY event_id) FROM metering_usageevent),
       (SELECT COUNT(*) FROM metering_eventidentity),
       (SELECT array_agg(event_id ORDER BY event_id) FROM metering_quarantinedevent WHERE state = 'quarantined')
"""


class WorstMoment:
    """Holds requests where they are about to write to a table last, and ends them there."""

    def __init__(self, vendor: Vendor, database: psycopg.Connection[Any], holder: psycopg.Connection[Any]) -> None:
        self.vendor, self.database, self.holder = vendor, database, holder

    def strike(
        self, table: str, call: tuple[str, Any], kill: Callable[[int], None], start: Callable[[], None] | None = None
    ) -> Any:
        """The answer to `call`, which is killed when all but what it writes to `table` is written, and comes again.

        Nothing of it may be there before it comes again.
        """
        before = self.kept()
        self.holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as client:
            try:
                answer = client.submit(self.vendor.call, "POST", *call)
                assert process.wait_until(lambda: bool(self.waiting(table)), seconds=60, interval=0.01), answer
                kill(self.waiting(table)[0])
                assert self.kept() == before
            finally:
                self.holder.rollback()
            if start is not None:
                start()
            return answer.result(90)

    def waiting(self, table: str) -> list[int]:
        return [pid for (pid,) in self.database.execute(_WAITING, [table])] or []

    def kept(self) -> Any:
        return self.database.execute(_KEPT).fetchone()


def test_quarantine_release_and_discard_killed_half_way_lose_and_double_nothing(system: System) -> None:
    limits = {"TAXIMETER_EVENT_LOOK_BACK_DAYS": "365", "TAXIMETER_EVENT_LOOK_AHEAD_SECONDS": "3600"}

    def start() -> None:
        system.start("web", **limits, PGOPTIONS="-c lock_timeout=90s")

    def kill_server(_: int) -> None:
        process.send(process.family(system.pid("web")), signal.SIGKILL)
        system.kill("web")

    start()
    vendor = Vendor(system)
    vendor.call("POST", "meters", {"key": "probes", "event_type": "probe", "aggregation": "count"})
    base = {"specversion": "1.0", "source": "edge", "type": "probe", "subject": "acme", "time": "2015-06-01T00:00:00Z"}
    events = [base | {"id": name} for name in ("discarded", "released", "voided")] + [base | {"id": "counted"}]
    del events[3]["time"]
    url = system.postgres_url
    with psycopg.connect(url, autocommit=True) as database, psycopg.connect(url) as holder:
        moment = WorstMoment(vendor, database, holder)

        def end_backend(pid: int) -> None:
            database.execute("SELECT pg_terminate_backend(%s)", [pid])

        # The log and the identities are written, the quarantine is not.
        told = moment.strike("metering_quarantinedevent", ("events", events), end_backend)
        assert (told["accepted"], [one["id"] for one in told["quarantined"]]) == (1, [one["id"] for one in events[:3]])
        ids = {one["event"]["id"]: one["id"] for one in vendor.call("GET", "quarantined_events")["data"]}
        # All is written but the audit trail.
        release = (f"quarantined_events/{ids['released']}/release", {})
        assert moment.strike("accounts_auditentry", release, kill_server, start)["state"] == "released"
        discard = (f"quarantined_events/{ids['discarded']}/discard", {})
        assert moment.strike("accounts_auditentry", discard, end_backend)["state"] == "discarded"
        void = ("events/void", {"source": "edge", "id": "voided", "reason": "a test rig"})
        assert moment.strike("accounts_auditentry", void, end_backend)["id"] == ids["voided"]
        assert moment.kept() == (["counted", "released"], 4, None)

    for path, body in (release, discard, void):
        vendor.call("POST", path, body)
    assert vendor.call("POST", "events", events)["duplicates"] == 4
    span = "from=2010-01-01T00:00:00Z&to=2099-01-01T00:00:00Z"
    [row] = vendor.call("GET", f"meters/probes/usage?{span}")["data"]
    assert row["quantity"] == "2"
    actions = [one["action"] for one in vendor.call("GET", "audit_entries")["data"]]
    decided = [one for one in actions if one.startswith(("quarantined_event.", "event."))]
    assert sorted(decided) == ["event.void", "quarantined_event.discard", "quarantined_event.release"]
