"""Budgets under load: nobody goes beyond one, an agent hears quickly whether it may act, an alert follows its event.

    python -m bench budgets [AGENTS] [SECONDS] [EVENTS_A_SECOND]

Production's web server, worker and beat, PostgreSQL and the clients share this machine.

1. AGENTS agents, each with a connection of its own, use one budget in money: each reserves, sends its events and
   commits, over and over, until it is refused. What they have used and what the open invoice charges is then compared
   with the budget, and what each was told with what the log says.
2. For SECONDS, EVENTS_A_SECOND come in, 500 a request, while four agents ask 25 times a second each: without and with a
   reservation, beside a view of the same server that does one single-row INSERT, and all of it without the events too.
3. While as many come in, an event takes a budget over its threshold: how long until the crossing can be read.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.http_ingest import web_server
from bench.ingest import _copy_table
from bench.load import request_bytes, send_all
from bench.setting import database
from launcher import process, programs
from launcher.paths import ROOT
from launcher.services import Services

#: The budget of the first part, and what its plan charges for a turn.
AMOUNT, PRICE = Decimal("100.00"), Decimal("0.05")
ASKERS, ASKED_A_SECOND = 4, 25
BATCH = 500
CROSSINGS = 20

_numbers = itertools.count()


def main(agents: int = 200, seconds: int = 20, events_a_second: int = 5_000) -> None:
    with database() as services:
        bench = _bench(agents)
        _copy_table()
        with web_server(services) as (port, _), _celery(services):
            bench.port = port
            _spend(bench, agents)
            print(f"  a question, {ASKERS * ASKED_A_SECOND} a second by {ASKERS} agents, {seconds} s each")
            for rate in (0, events_a_second):
                _ask(bench, seconds, rate)
            _cross(bench, events_a_second)


@dataclass
class Bench:
    organization: Any
    secret: str
    port: int = 0
    taken: list[int] = field(default_factory=list)

    def request(self, connection: http.client.HTTPConnection, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        while True:
            connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status not in (429, 503):
                assert answer.status == 200, (answer.status, content)
                return json.loads(content)
            connection.close()  # the server may do so meanwhile; the next request opens it again
            time.sleep(float(answer.headers.get("Retry-After", 1)))


def _bench(agents: int) -> Bench:
    from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up by now
    from billing.facade import create_customer, create_plan, subscribe  # noqa: PLC0415
    from budgets.facade import create_budget  # noqa: PLC0415
    from kernel.clock import system_clock  # noqa: PLC0415
    from metering.facade import create_meter  # noqa: PLC0415

    organization = create_organization(name="Bench")
    for key, type_ in (("turns", "agent.turn"), ("ingested", "bench.event")):
        definition = {"event_type": type_, "aggregation": "count", "dimensions": {"agent": "data.agent"}}
        create_meter(organization_id=organization.pk, key=key, name=key, definition=definition)
    price = {
        "key": "turns", "name": "Turns", "kind": "usage", "meter": "turns",
        "model": {"type": "per_unit", "unit_amount": str(PRICE)},
    }  # fmt: skip
    plan = create_plan(organization=organization, key="activity", currency="USD", prices=[price])
    for key in ("acme", "asker", *(f"crossing-{number}" for number in range(CROSSINGS))):
        customer = create_customer(organization=organization, key=key)
        if key == "acme":
            subscribe(customer=customer, plan=plan, starts_at=system_clock().replace(day=1))
    stop = [{"percent": "80", "actions": ["webhook"]}, {"percent": "100", "actions": ["stop"]}]
    create_budget(
        organization=organization, key="spend", scope="customer", customer="acme", measure={"money": "spend"},
        amount=AMOUNT, period="billing_period", thresholds=stop,
    )  # fmt: skip
    for scope, fields in (("organization", {}), ("customer", {"customer": "asker"}), ("agent", {"agent": "asker"})):
        create_budget(
            organization=organization, key=f"asked-{scope}", scope=scope, measure={"meter": "turns"},
            amount=Decimal(10**9), period="month", thresholds=stop, **fields,
        )  # fmt: skip
    _, secret = create_api_key(organization=organization, scopes=["ingest"])
    return Bench(organization, secret)


def _spend(bench: Bench, agents: int) -> None:
    """The first part."""
    from billing.facade import get_customer, open_spend  # noqa: PLC0415
    from budgets.facade import budget_state, evaluate_budgets, get_budget  # noqa: PLC0415
    from kernel.clock import system_clock  # noqa: PLC0415

    began = time.perf_counter()
    with ThreadPoolExecutor(agents) as threads:
        turns = list(threads.map(lambda number: _work_until_refused(bench, number), range(agents)))
    took = time.perf_counter() - began
    for _ in range(100):
        evaluate_budgets(now=system_clock())
        state = budget_state(get_budget(organization_id=bench.organization.pk, budget="spend"), now=system_clock())
        if not state.held:
            break
        time.sleep(0.1)
    customer = get_customer(organization_id=bench.organization.pk, customer="acme")
    spent, _ = open_spend(organization_id=bench.organization.pk, customers={customer.pk}, now=system_clock())
    charged = sum((one.amount for one in spent), Decimal(0))
    used = sum(turns) * PRICE
    assert charged == used == state.used, (charged, used, state)
    assert used <= AMOUNT, (used, AMOUNT)
    assert state.held == 0
    print(
        f"  {agents} agents on one budget of {AMOUNT}: {used:f} used and charged, 0 held,"
        f" {len(bench.taken):,} reservations in {took:.0f} s ({len(bench.taken) / took:,.0f}/s)"
    )


def _work_until_refused(bench: Bench, number: int) -> int:
    """Reserve, send events, commit; how many turns were used. An agent gives up after it was refused a single turn."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=120)
    used, wanted = 0, number % 5 + 1
    while True:
        ask = {"customer": "acme", "meter": "turns", "quantity": str(wanted), "reserve": True, "agent": f"a{number}"}
        verdict = bench.request(connection, "entitlements/check", ask)
        if not verdict["allowed"]:
            if wanted == 1:
                return used
            wanted = 1
            continue
        events = [_event("agent.turn", "acme", f"a{number}") for _ in range(wanted)]
        bench.request(connection, "events", events)
        reservation = verdict["reservation"]["id"]
        bench.request(connection, f"reservations/{reservation}/commit", {"quantity": str(wanted)})
        used += wanted
        bench.taken.append(wanted)


def _event(type_: str, customer: str, agent: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"{os.getpid()}-{next(_numbers)}", "source": "bench", "type": type_,
        "subject": customer, "data": {"agent": agent},
    }  # fmt: skip


def _ask(bench: Bench, seconds: int, events_a_second: int) -> None:
    """The second part: at each pace, the three questions in turn."""
    ask = {"customer": "asker", "meter": "turns", "quantity": "1", "agent": "asker"}
    bodies = [
        ("one INSERT", "/bench/insert", _event("bench.event", "asker", "asker")),
        ("a check", "/api/v1/entitlements/check", ask),
        ("a check that reserves", "/api/v1/entitlements/check", ask | {"reserve": True, "lifetime_seconds": 60}),
    ]
    with _ingesting(bench, events_a_second) as ingested:
        for name, path, body in bodies:
            request = request_bytes(path, json.dumps(body).encode(), port=bench.port, secret=bench.secret)
            before, began = ingested.value, time.perf_counter()
            latencies = _paced(request, bench.port, seconds)
            rate = (ingested.value - before) / (time.perf_counter() - began)
            print(
                f"    {name:22} {rate:6,.0f} events/s beside it: median {_ms(latencies, 0.5)},"
                f" 95 % within {_ms(latencies, 0.95)}, 99 % within {_ms(latencies, 0.99)}"
            )


def _paced(request: bytes, port: int, seconds: int) -> list[float]:
    """Latencies of the same request by several agents at their pace, each over its own connection."""

    def requests(phase: float) -> Iterator[bytes]:
        began = time.perf_counter() + phase / ASKED_A_SECOND
        for number in range(seconds * ASKED_A_SECOND):
            time.sleep(max(0.0, began + number / ASKED_A_SECOND - time.perf_counter()))
            yield request

    def run(number: int) -> list[float]:
        report = send_all(requests(number / ASKERS), port=port, connections=1)
        assert set(report.statuses) == {200}, (report.statuses, report.last)
        return report.latencies

    with ThreadPoolExecutor(ASKERS) as threads:
        return [latency for latencies in threads.map(run, range(ASKERS)) for latency in latencies]


def _cross(bench: Bench, events_a_second: int) -> None:
    """The third part: from the answer to an event until its crossing is there."""
    from budgets.facade import create_budget  # noqa: PLC0415
    from budgets.models import Crossing  # noqa: PLC0415

    for number in range(CROSSINGS):
        create_budget(
            organization=bench.organization, key=f"c{number}", scope="customer", customer=f"crossing-{number}",
            measure={"meter": "turns"}, amount=Decimal(1), period="month",
            thresholds=[{"percent": "100", "actions": ["webhook"]}],
        )  # fmt: skip
    lags = []
    connection = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=60)
    with _ingesting(bench, events_a_second) as ingested:
        time.sleep(3)
        before, began = ingested.value, time.perf_counter()
        for number in range(CROSSINGS):
            time.sleep(0.37)
            bench.request(connection, "events", [_event("agent.turn", f"crossing-{number}", "a")])
            sent = time.perf_counter()
            rows = Crossing.objects.filter(budget__key=f"c{number}")
            while not rows.exists():
                time.sleep(0.01)
                assert time.perf_counter() < sent + 60, "no crossing within a minute"
            lags.append(time.perf_counter() - sent)
        rate = (ingested.value - before) / (time.perf_counter() - began)
    print(
        f"  from an event to its crossing, {rate:,.0f} events/s beside it, {CROSSINGS} times:"
        f" median {statistics.median(lags):.2f} s, most {max(lags):.2f} s"
    )


@contextmanager
def _celery(services: Services) -> Iterator[None]:
    """Worker and beat as in production."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")])}
    wanted = [one for one in programs.application_programs(host="127.0.0.1", port=1) if one.name in {"worker", "beat"}]
    running = [
        process.start(one.command, log=services.directory / f"{one.name}.log", environment=environment, cwd=ROOT)
        for one in wanted
    ]
    try:
        yield
    finally:
        for one in running:
            process.stop(one)


@contextmanager
def _ingesting(bench: Bench, events_a_second: int) -> Iterator[Any]:
    """So many events a second come in from a process of its own, whose count is given."""
    context = multiprocessing.get_context("fork")
    count = context.Value("q", 0)
    if not events_a_second:
        yield count
        return
    bodies = [
        json.dumps([_event("bench.event", f"customer-{one % 50}", f"agent-{one % 10}") for one in range(BATCH)])
        for _ in range(20)
    ]
    arguments = (bench.port, bench.secret, bodies, events_a_second, count)
    sender = context.Process(target=_send_events, args=arguments, daemon=True)
    sender.start()
    try:
        time.sleep(2)
        yield count
    finally:
        sender.terminate()
        sender.join()


def _send_events(port: int, secret: str, bodies: Sequence[str], events_a_second: int, count: Any) -> None:
    """Two connections that send in turn, each batch with ids of its own."""
    began = time.perf_counter()
    sent = itertools.count()

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        while True:
            number = next(sent)
            time.sleep(max(0.0, began + number * BATCH / events_a_second - time.perf_counter()))
            body = bodies[number % len(bodies)].replace('"id": "', f'"id": "{os.getpid()}-{number}-')
            connection.request("POST", "/api/v1/events", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                with count.get_lock():
                    count.value += json.loads(content)["accepted"]

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _ms(latencies: Sequence[float], part: float) -> str:
    return f"{sorted(latencies)[int(part * (len(latencies) - 1))] * 1000:.1f} ms"
