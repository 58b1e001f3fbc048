"""Real files, imported and closed while `kill -9` takes the importer, the web server, the worker and
PostgreSQL: the same invoices as without."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

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
