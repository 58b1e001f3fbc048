"""How long usage questions take, and how that grows with the log, beside the same question to the bare log.

    python -m bench usage [EVENTS]

Events of 1,000 customers and 10 agents, spread evenly over one month: a tenth of them in one organization, all in
another. The log is filled by the server itself, in the order of time; the projections are the real ones.
Medians; both ways of asking use one connection, and must agree to the last event.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bench.setting import database

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
ROUNDS, ROUNDS_OF_LOG = 25, 3
#: Events a transaction, of which a projection's step takes whole ones.
BATCH = 20_000

_FILL = """
INSERT INTO metering_usageevent
    (identity, organization_id, source, event_id, type, subject, time, received_at, data)
SELECT (lpad(to_hex(%(organization)s), 8, '0') || lpad(to_hex(i), 24, '0'))::uuid, %(organization)s,
       'edge/' || i %% 50, 'turn-' || i, 'agent.turn', 'customer-' || customer,
       %(start)s + i * (%(end)s - %(start)s) / %(events)s, %(end)s,
       jsonb_build_object('agent', 'agent-' || abs(hashint8(-i) %% 10), 'turn_id', 'turn-' || i,
                          'task_id', 'task-' || customer || '-' || i / 8000, 'model', 'smollm2-135m',
                          'input_tokens', 100 + i %% 400, 'output_tokens', i %% 60,
                          'compute_seconds', '0.' || i %% 1000)
FROM (SELECT i, abs(hashint8(i) %% 1000) AS customer FROM generate_series(%(first)s, %(last)s) i) turns
"""

_BARE = """
SELECT {start} AS start, {group}, COUNT(*) FROM metering_usageevent
WHERE organization_id = %(organization)s AND type = 'agent.turn' AND time >= %(start)s AND time < %(end)s {customer}
GROUP BY 1, 2 ORDER BY 1, 2
"""


def main(events: int = 1_000_000) -> None:
    with database():
        few, many = _organization(events // 10), _organization(events)
        print(f"{'milliseconds':36} {events // 10:>12,} {events:>12,} {'grows by':>9} {'bare SELECT':>12} {'times':>7}")
        for name, question in _questions(many).items():
            before, after, bare = _ask(replace(question, organization_id=few), question)
            print(
                f"{name:36} {before:12.1f} {after:12.1f} {after / before:9.2f} {bare:12.1f} {bare / after:7.1f}",
                flush=True,
            )


def _organization(events: int) -> int:
    """A new organization with `events` and a meter that is projected."""
    from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now
    from metering.facade import advance_projections, create_meter  # noqa: PLC0415
    from metering.models import UsageBucket  # noqa: PLC0415

    organization_id = int(create_organization(name=f"Bench {events}").pk)
    filled = _timed(lambda: fill(organization_id, events))
    create_meter(
        organization_id=organization_id,
        key="turns",
        name="turns",
        definition={"event_type": "agent.turn", "aggregation": "count", "dimensions": {"agent": "data.agent"}},
    )
    projected = _timed(advance_projections)
    buckets = UsageBucket.objects.filter(meter_version__meter__organization_id=organization_id).count()
    print(
        f"{events:,} events: filled in {filled:.0f} s, projected at {events / projected:,.0f} events/s "
        f"into {buckets:,} buckets",
        flush=True,
    )
    settle("metering_usagebucket")
    return organization_id


def fill(organization_id: int, events: int) -> None:
    """Write `events` to the log, in the order of time, as the server can do it fastest."""
    from django.db import connection  # noqa: PLC0415

    fixed = {"organization": organization_id, "start": START, "end": END, "events": events}
    with connection.cursor() as cursor:
        cursor.execute("SELECT metering_make_partition(%s)", [START.date()])
        for first in range(0, events, BATCH):
            cursor.execute(_FILL, fixed | {"first": first, "last": min(first + BATCH, events) - 1})
    settle("metering_usageevent")


def settle(table: str) -> None:
    """What autovacuum does within minutes."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {table}")


def _questions(organization_id: int) -> dict[str, Any]:
    from kernel.period import Period  # noqa: PLC0415
    from metering.facade import UsageQuestion  # noqa: PLC0415

    customer = UsageQuestion(
        organization_id=organization_id,
        meter="turns",
        period=Period(START, END),
        window="day",
        customers=("customer-7",),
        by_customer=True,
    )
    whole = replace(customer, customers=None, by_customer=False, group_by=("agent",))
    asked = {}
    for zone in ("UTC", "Europe/Berlin", "Asia/Kolkata"):
        asked[f"one customer by day, {zone}"] = replace(customer, timezone=zone)
    for zone in ("UTC", "Europe/Berlin", "Asia/Kolkata"):
        asked[f"all by day and agent, {zone}"] = replace(whole, timezone=zone)
    asked["each customer's total, UTC"] = replace(customer, customers=None, window="total")
    return asked


def _ask(few: Any, many: Any) -> tuple[float, float, float]:
    """Milliseconds: the answer with few events, with many, and the bare SELECT's with many. Few and many take
    turns, so that a noisy machine disturbs both."""
    from metering.facade import usage  # noqa: PLC0415

    expected = [row[1:] for row in _bare(many)]
    assert [(row.customer or row.group["agent"], row.events) for row in usage(many)] == expected
    before, after = [], []
    for _ in range(ROUNDS):
        before.append(_timed(lambda: usage(few)))
        after.append(_timed(lambda: usage(many)))
    bare = [_timed(lambda: _bare(many)) for _ in range(ROUNDS_OF_LOG)]
    return 1000 * statistics.median(before), 1000 * statistics.median(after), 1000 * statistics.median(bare)


def _bare(question: Any) -> list[tuple[Any, ...]]:
    from django.db import connection  # noqa: PLC0415

    statement = _BARE.format(
        start="%(start)s" if question.window == "total" else "date_trunc('day', time, %(timezone)s)",
        group="subject" if question.by_customer else "data ->> 'agent'",
        customer="AND subject = %(customer)s" if question.customers else "",
    )
    values = {
        "organization": question.organization_id,
        "start": START,
        "end": END,
        "timezone": question.timezone,
        "customer": (question.customers or [None])[0],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
