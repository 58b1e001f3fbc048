"""How long the pages of the console and the portal take at the server, how many queries they make, and what a first
visit transfers.

    python -m bench console [EVENTS] [CUSTOMERS] [INVOICES]

5 million events, 1,000 customers and 10,000 invoices, unless told otherwise: tasks of eight events by 10 agents, spread
over the months that were closed and the present one; every customer has an invoice of each closed month, issued by the
real close. How they are filled in so fast, `bench._console_vendor` says. A page is asked for by Django's test client,
in this process: median of 15 after one to warm up, and beside it what the processor worked for it, in this process and
in PostgreSQL's, which depends less on what else the machine does. Its bytes are those of the page and of each file it
names, as a browser that takes gzip is sent them.
"""

from __future__ import annotations

import logging
import os
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench._console_vendor import Vendor, timed
from bench.setting import database

ROUNDS = 15
GOAL_MS, GOAL_BYTES = 200, 300 * 1024


def main(events: int = 5_000_000, customers: int = 1_000, invoices: int = 10_000) -> None:
    with database():
        from django.conf import settings  # noqa: PLC0415 - Django is set up only now

        settings.ALLOWED_HOSTS = ["testserver"]
        # Addresses that are no pages are asked for too, to find out.
        logging.getLogger("django.request").setLevel(logging.CRITICAL)
        vendor = Vendor(events, customers, max(1, invoices // customers))
        vendor.make()
        measure(vendor)


def measure(vendor: Vendor, only: str = "") -> None:
    print(f"{'page':32} {'ms':>8} {'worked':>8} {'queries':>8} {'KiB':>8}", flush=True)
    slow = large = count = 0
    for name, client, address in pages(vendor):
        if only not in name:
            continue
        milliseconds, worked, queries, size = _page(client, address)
        said = " SLOW" * (milliseconds > GOAL_MS) + " LARGE" * (size > GOAL_BYTES)
        count, slow, large = count + 1, slow + (milliseconds > GOAL_MS), large + (size > GOAL_BYTES)
        print(f"{name:32} {milliseconds:8.0f} {worked:8.0f} {queries:8} {size / 1024:8.0f}{said}", flush=True)
    print(f"{count} pages: {slow} above {GOAL_MS} ms, {large} above {GOAL_BYTES // 1024} KiB", flush=True)


def pages(vendor: Vendor) -> Iterator[tuple[str, Any, str]]:
    """What a page is called here, the client that may see it, and its address."""
    known = _known(vendor)
    for name, address in (known | _others(vendor, known)).items():
        yield name, vendor.client, address
    portal = vendor.portal()
    invoice = vendor.invoice()
    line = next(line for line in invoice.lines.all() if line.events)
    of_portal = {
        "": "",
        " invoices": "invoices",
        " invoice": f"invoices/{invoice.pk}",
        " line's events": f"invoices/{invoice.pk}/lines/{line.pk}/events",
        " tasks": "tasks",
        " task": f"task?id={vendor.task_of(vendor.customer)}",
        " budgets": "budgets",
        " keys": "keys",
        " details": "details",
    }
    for name, address in of_portal.items():
        yield f"portal{name}", portal, f"/portal/{address}"


def _known(vendor: Vendor) -> dict[str, str]:
    from metering.facade import EventQuestion, list_events  # noqa: PLC0415

    invoice, customer = vendor.invoice(), vendor.customer
    line = next(line for line in invoice.lines.all() if line.events)
    event = list_events(EventQuestion(organization_id=vendor.organization.pk), limit=1)[0][0]
    all_months = f"from={vendor.closed[0].first_day}&to={vendor.now:%Y-%m-%d}"
    task = vendor.tasks // 2
    return {
        "overview": "/",
        "overview, last month": "/?period=last_month",
        "overview, in Kolkata": "/?timezone=Asia/Kolkata",
        "overview, in Berlin": "/?timezone=Europe/Berlin",
        "overview, back to UTC": "/?timezone=UTC",
        "overview, all months": f"/?{all_months}",
        "overview of a customer": f"/?customer={customer.key}",
        "overview of a plan": "/?plan=plan-1",
        "plan's activity": "/parts/activity?plan=plan-1",
        "overview of an agent": "/?agent=agent-3",
        "overview of a model and region": "/?model=qwen3-8b&region=eu",
        "overview's days": "/parts/days",
        "overview's days, in Kolkata": "/parts/days?timezone=Asia/Kolkata",
        "overview's days, in Berlin": "/parts/days?timezone=Europe/Berlin",
        "overview's days, back to UTC": "/parts/days?timezone=UTC",
        "overview's days, all months": f"/parts/days?{all_months}",
        "overview's money": "/parts/money",
        "overview's costs": "/parts/costs",
        "overview's usage": "/parts/usage",
        "overview's meters": "/parts/meters",
        "overview's money, all months": f"/parts/money?{all_months}",
        "overview's costs, all months": f"/parts/costs?{all_months}",
        "customers": "/customers",
        "customers, searched": "/customers?q=customer+9",
        "customer": f"/customers/{customer.pk}",
        "customer's charts": f"/parts/customer?customer={customer.key}",
        "customer's meters": f"/parts/meters?customer={customer.key}",
        "choices of customers": "/customers/choices?customer=9",
        "agents": "/agents",
        "agent": "/agent?agent=agent-3",
        "agent's customers": "/parts/agent?agent=agent-3",
        "agent's tasks": "/agent/tasks?agent=agent-3",
        "models": "/models",
        "models, all months": f"/models?{all_months}",
        "models of a customer": f"/models?customer={customer.key}",
        "tasks": "/tasks",
        "tasks of a customer": f"/tasks?customer={customer.key}",
        "tasks of an agent that failed": "/tasks?agent=agent-3&outcome=failed",
        "task": f"/task?id=task-{task}",
        "meters": "/meters",
        "meter's chart": "/parts/meter?meter=decisions",
        "plans": "/plans",
        "plan": "/plan/plan-1",
        "invoices": "/invoices",
        "invoices of a month": f"/invoices?month={vendor.closed[-1]}",
        "invoices, searched": "/invoices?q=customer+9&status=overdue",
        "invoice": f"/invoices/{invoice.pk}",
        "a line's events": f"/invoices/{invoice.pk}/lines/{line.pk}/events",
        "ledger": "/ledger",
        "ledger of a month": f"/ledger?month={vendor.closed[-1].next()}",
        "events": "/events",
        "events of a customer": f"/events?customer={customer.key}",
        "events of an agent": "/events?agent=agent-3",
        "events of an unknown agent": "/events?agent=nobody",
        "events of a task": f"/events?task=task-{task}",
        "events of a type": "/events?type=agent.task",
        "events of an unknown type": "/events?type=nothing",
        "event": f"/events/{event.identity}",
        "chart as CSV": "/charts/money_by_customer.csv",
    }


def _others(vendor: Vendor, known: dict[str, str]) -> dict[str, str]:
    """Every other address without parameters that answers with a page."""
    from django.urls import NoReverseMatch, reverse  # noqa: PLC0415

    from console.urls import urlpatterns  # noqa: PLC0415

    found = {}
    for pattern in urlpatterns:
        try:
            address = reverse(f"console:{pattern.name}")
        except NoReverseMatch:
            continue
        if address in known.values() or pattern.name in {"sign_in", "sign_out"}:
            continue
        answer = vendor.client.get(address)
        is_page = answer.status_code == 200 and not answer.streaming
        if is_page and answer.content.lstrip()[:15].lower() == b"<!doctype html>":
            found[str(pattern.name)] = address
    return found


def _page(client: Any, address: str) -> tuple[float, float, int, int]:
    """Median milliseconds, those that the processor worked, queries, and bytes of the page with its files."""
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address, headers={"Accept-Encoding": "gzip"})
        queries = len(captured)
    assert answer.status_code == 200, (address, answer.status_code)
    before = _worked()
    times = [timed(lambda: client.get(address)) for _ in range(ROUNDS)]
    worked = (_worked() - before) / ROUNDS
    files = sum(_bytes_of(path) for path in set(re.findall(r'"/(static/[^"#]+)', answer.content.decode())))
    return statistics.median(times) * 1000, worked * 1000, queries, len(answer.content) + files


def _worked() -> float:
    """Seconds that this process and the one of PostgreSQL that serves it have worked so far."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        statistics_of = Path(f"/proc/{cursor.fetchone()[0]}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + (int(statistics_of[11]) + int(statistics_of[12])) / os.sysconf("SC_CLK_TCK")


def _bytes_of(path: str) -> int:
    """What a file weighs as it is sent to a browser that takes gzip."""
    file = Path(__file__).parent.parent / path
    packed = file.with_name(f"{file.name}.gz")
    return (packed if packed.exists() else file).stat().st_size
