"""How long two workers take to close a month, how that grows with the subscriptions, and what `kill -9` changes.

    python -m bench close_month [SUBSCRIPTIONS] [EVENTS_EACH]

Hybrid subscriptions of four lines each (a fee, included turns, decisions, compute seconds): a tenth of them first,
then all, then a tenth once more, in which a worker and PostgreSQL itself are killed on the way and the run is taken up
again; its invoices are compared with those of the undisturbed tenth. The projections are up to date, as they are when
a month has been over for a second. Workers are processes like Celery's; time runs from the run's start to its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bench.setting import database
from launcher.services import Services

NOW = datetime(2026, 11, 2, tzinfo=UTC)
PRICES: list[dict[str, Any]] = [
    {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}},
    {
        "key": "turns",
        "kind": "usage",
        "meter": "turns",
        "included": "50",
        "model": {"type": "per_unit", "unit_amount": "0.04"},
    },
    {"key": "decisions", "kind": "usage", "meter": "decisions", "model": {"type": "per_unit", "unit_amount": "0.01"}},
    {"key": "compute", "kind": "usage", "meter": "compute", "model": {"type": "per_unit", "unit_amount": "0.002"}},
]


WORKERS = 2


def main(subscriptions: int = 10_000, events_each: int = 200) -> None:
    few = subscriptions // 10
    with database() as services:
        small = _measure("small", few, events_each)
        large = _measure("large", subscriptions, events_each)
        killed = _measure("killed", few, events_each, services)
        same = _books("small") == _books("killed")
    print(f"{'subscriptions':>14} {'events':>10} {'seconds':>9} {'invoices/s':>11} {'MiB each':>9}")
    for number, (seconds, memory) in ((few, small), (subscriptions, large)):
        print(f"{number:14,} {number * events_each:10,} {seconds:9.2f} {number / seconds:11.0f} {max(memory):9}")
    print(f"ten times the subscriptions took {large[0] / small[0]:.1f} times as long")
    print(f"with a worker and PostgreSQL killed: {killed[0]:.2f} s, invoices {'the same' if same else 'NOT THE SAME'}")


def _measure(name: str, subscriptions: int, events_each: int, kills: Services | None = None) -> tuple[float, list[int]]:
    """Seconds from start to end of the run, and the peak memory of each worker in MiB."""
    from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now
    from billing.invoicing.runs import start_billing_run  # noqa: PLC0415
    from billing.models import BillingRun  # noqa: PLC0415
    from kernel.period import Month  # noqa: PLC0415

    organization = create_organization(name=name)
    _prepare(organization, subscriptions, events_each)
    workers = [_worker() for _ in range(WORKERS)]
    started = time.perf_counter()
    run = start_billing_run(organization=organization, month=Month(2026, 10), now=NOW)
    _let_go(workers, run.pk)
    if kills is not None:
        workers = _disturb(workers, run.pk, kills)
    memory = [int((worker.communicate()[0] or "0").strip() or 0) for worker in workers]
    seconds = time.perf_counter() - started
    run = BillingRun.objects.get(pk=run.pk)
    assert (run.status, run.invoices) == ("succeeded", subscriptions), (run.status, run.invoices)
    return seconds, memory


def _worker() -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "bench._closer", NOW.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def _let_go(workers: list[subprocess.Popen[str]], run: str) -> None:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{run}\n")
        worker.stdin.flush()


def _disturb(workers: list[subprocess.Popen[str]], run: str, services: Services) -> list[subprocess.Popen[str]]:
    """Kill a worker in the middle of the run, then PostgreSQL, which ends the other; return workers that resume it."""
    from django.db import connections  # noqa: PLC0415

    for worker, done in ((workers[0], 1), (None, 2)):
        _wait_for_batches(workers, run, done)
        if worker is not None:
            worker.kill()
    connections.close_all()
    postmaster = next(services.directory.glob("postgres/**/postmaster.pid"))
    os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
    services.start_postgres()
    for worker in workers:
        worker.communicate()
    again = [_worker() for _ in range(WORKERS)]
    _let_go(again, run)
    return again


def _wait_for_batches(workers: list[subprocess.Popen[str]], run: str, done: int) -> None:
    """Wait until `done` batches of the run are stored, or all but the last one where the run has fewer.

    Returns as well when every worker has ended, so that a small run never waits for batches it does not have.
    """
    from billing.models import BillingRun, BillingRunBatch  # noqa: PLC0415

    while any(worker.poll() is None for worker in workers):
        batches = BillingRunBatch.objects.filter(run=run)
        planned = BillingRun.objects.get(pk=run).planned_at is not None
        if planned and batches.filter(done=True).count() >= min(done, batches.count() - 1):
            return
        time.sleep(0.01)


def _books(name: str) -> list[tuple[Any, ...]]:
    """Every invoice line of an organization, with all that does not name a row of the database."""
    from billing.models import InvoiceLine  # noqa: PLC0415

    return list(
        InvoiceLine.objects.filter(invoice__organization__name=name)
        .order_by("invoice__number", "position")
        .values_list(
            "invoice__number", "invoice__customer__key", "invoice__total", "invoice__tax", "position", "description",
            "quantity", "amount", "tax", "period_start", "period_end", "breakdown", "steps", "events",
        )
    )  # fmt: skip


def _prepare(organization: Any, subscriptions: int, events_each: int) -> None:
    from billing.facade import create_plan  # noqa: PLC0415
    from billing.models import Customer, Subscription  # noqa: PLC0415
    from metering.facade import advance_projections, create_meter, ingest_body  # noqa: PLC0415

    counted = {"turns": "agent.turn", "decisions": "agent.decision"}
    definitions: dict[str, dict[str, Any]] = {
        key: {"event_type": event_type, "aggregation": "count"} for key, event_type in counted.items()
    }
    definitions["compute"] = {"event_type": "inference.call", "aggregation": "sum", "value": "data.compute_seconds"}
    for key, definition in definitions.items():
        create_meter(organization_id=organization.pk, key=key, name=key, definition=definition)
    plan = create_plan(organization=organization, key="hybrid", currency="USD", prices=PRICES)
    customers = Customer.objects.bulk_create(
        [Customer(organization=organization, key=f"c{i}", name=f"Customer {i}") for i in range(subscriptions)]
    )
    version = plan.versions.get()
    starts_at = datetime(2026, 9, 1, tzinfo=UTC)
    Subscription.objects.bulk_create(
        [
            Subscription(organization=organization, customer=c, plan_version=version, starts_at=starts_at)
            for c in customers
        ]
    )
    total = subscriptions * events_each
    for start in range(0, total, 5_000):
        events = [_event(i, subscriptions) for i in range(start, min(start + 5_000, total))]
        ingest_body(organization_id=organization.pk, body=json.dumps(events).encode(), received_at=NOW)
    advance_projections()


def _event(i: int, subscriptions: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(i),
        "source": "bench",
        "type": ("agent.turn", "agent.turn", "agent.decision", "inference.call")[i // subscriptions % 4],
        "subject": f"c{i % subscriptions}",
        "time": f"2026-10-{i // subscriptions % 31 + 1:02d}T{i % 24:02d}:00:00Z",
        "data": {"compute_seconds": f"0.{i % 1000:03d}"},
    }


if __name__ == "__main__":
    main()
