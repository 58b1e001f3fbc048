"""How long closing a month takes, and how it grows with the subscriptions, in one run.

    python -m bench close_month [SUBSCRIPTIONS] [EVENTS_EACH]

Hybrid subscriptions of four lines each (a fee, included turns, decisions, compute seconds); a tenth of
them first, then all. One process works the run; its projections are up to date, as they are when a
month has been over for a second.
"""

from __future__ import annotations

import json
import resource
import time
from datetime import UTC, datetime
from typing import Any

from bench.setting import database

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


def main(subscriptions: int = 2_000, events_each: int = 60) -> None:
    with database():
        small = _measure(subscriptions // 10, events_each)
        large = _measure(subscriptions, events_each)
    print(f"{'subscriptions':>14} {'events':>10} {'seconds':>9} {'invoices/s':>11}")
    for number, seconds in ((subscriptions // 10, small), (subscriptions, large)):
        print(f"{number:14,} {number * events_each:10,} {seconds:9.2f} {number / seconds:11.0f}")
    print(f"ten times the subscriptions took {large / small:.1f} times as long;", end=" ")
    print(f"most memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def _measure(subscriptions: int, events_each: int) -> float:
    from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now
    from billing.facade import close_month  # noqa: PLC0415
    from kernel.period import Month  # noqa: PLC0415

    organization = create_organization(name=f"Bench {subscriptions}")
    _prepare(organization, subscriptions, events_each)
    started = time.perf_counter()
    run = close_month(organization=organization, month=Month(2026, 10), now=NOW)
    seconds = time.perf_counter() - started
    assert (run.status, run.invoices) == ("succeeded", subscriptions)
    return seconds


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
