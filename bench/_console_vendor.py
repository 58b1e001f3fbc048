"""An organization of a size for `bench.console`: events, tasks, customers, invoices, and somebody signed in.

Events are made by the server itself (INSERT … SELECT), 2,000 a transaction. What the projections of tasks and calls
make of them is known, so it comes by COPY rather than by reading the log again; the meters' projections and the closing
of months are the real ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BATCH = 2_000
EVENTS_OF_A_TASK = 8
PLANS, AGENTS = 4, 10
MODELS = ("smollm2-135m", "qwen3-8b", "gpt-5-mini")
HARDWARE = ("cpu", "l4", "")
REGIONS = ("eu", "us")

_FILL = """
WITH made AS (
    SELECT i, i / 8 AS task, began + i %% 8 * interval '1 second' AS time, customer,
           'task-' || i / 8 || '/' || i %% 8 / 4 AS turn,
           (%(types)s::text[])[i %% 8 + 1] AS type, (%(models)s::text[])[i / 8 / 3 %% 3 + 1] AS model,
           (%(hardware)s::text[])[i / 8 / 3 %% 3 + 1] AS hardware, (%(regions)s::text[])[i / 8 / 5 %% 2 + 1] AS region,
           (lpad(to_hex(%(organization)s), 8, '0') || lpad(to_hex(i), 24, '0'))::uuid AS identity
    FROM (SELECT i, i / 8 * 7919 %% %(customers)s AS customer,
                 %(start)s + i / 8 * %(apart)s * interval '1 microsecond' AS began
          FROM generate_series(%(first)s::bigint, %(last)s) i) numbers
), known AS (
    INSERT INTO metering_eventidentity (identity, content_hash, time) SELECT identity, identity, time FROM made
)
INSERT INTO metering_usageevent
    (identity, organization_id, source, event_id, type, subject, time, received_at, data)
SELECT identity, %(organization)s, 'edge', 'event-' || i, type, 'customer-' || customer, time, %(end)s,
       jsonb_build_object('agent', 'agent-' || task / 7 %% 10, 'task_id', 'task-' || task, 'region', region)
       || CASE type
          WHEN 'inference.call' THEN jsonb_build_object(
              'turn_id', turn, 'provider', 'taximeter', 'model', model, 'hardware', hardware,
              'input_tokens', 400, 'output_tokens', 60, 'compute_seconds', '0.75',
              'cost', '0.02', 'cost_currency', 'USD')
          WHEN 'agent.decision' THEN
              jsonb_build_object('turn_id', turn, 'decision_id', turn || '/d', 'choice', 'search')
          WHEN 'agent.tool_call' THEN jsonb_build_object('turn_id', turn, 'tool', 'search')
          WHEN 'agent.task' THEN
              jsonb_build_object('outcome', CASE WHEN task %% 9 = 0 THEN 'failed' ELSE 'succeeded' END)
          ELSE jsonb_build_object('turn_id', turn) END
FROM made
"""
_TYPES = (
    "inference.call", "agent.decision", "agent.turn", "agent.tool_call",
    "inference.call", "agent.decision", "agent.turn", "agent.task",
)  # fmt: skip

# The keys of kinds are others than the projection's, which has nothing to add here.
_SUMMED = (("agents_callhour", "hour", ("agent",)), ("agents_callday", "day", ("agent",)),
           ("agents_callmonth", "month", ("customer",)))  # fmt: skip
_SUM_CALLS = """
INSERT INTO {table} (organization_id, kind_key, {at}, {kind}, tasks, calls, input_tokens, output_tokens,
    cached_input_tokens, cache_write_tokens, compute_seconds, cost)
SELECT organization_id, md5(ROW({kind})::text)::uuid, date_trunc('{at}', hour, 'UTC'), {kind}, count(*), sum(calls),
    sum(input_tokens), sum(output_tokens), 0, 0, sum(compute_seconds), sum(cost)
FROM agents_callusage GROUP BY organization_id, date_trunc('{at}', hour, 'UTC'), {kind}
"""
_COUNT_ENDED = """
INSERT INTO agents_endedday (organization_id, kind_key, day, agent, outcome, tasks)
SELECT organization_id, md5(ROW(agent, outcome)::text)::uuid, date_trunc('day', ended_at, 'UTC'), agent, outcome,
    count(*)
FROM agents_tasksummary GROUP BY organization_id, date_trunc('day', ended_at, 'UTC'), agent, outcome
"""


class Vendor:
    """The organization, and a client in which its owner is signed in. `make` it first."""

    def __init__(self, events: int, customers: int, months: int) -> None:
        from django.test import Client  # noqa: PLC0415 - Django is set up only now

        from kernel.clock import system_clock  # noqa: PLC0415
        from kernel.period import Month  # noqa: PLC0415

        self.tasks, self.customers = events // EVENTS_OF_A_TASK, customers
        self.now = system_clock()
        self.present = Month(self.now.year, self.now.month)
        self.closed = [self.present.previous()]
        while len(self.closed) < months:
            self.closed.insert(0, self.closed[0].previous())
        first = self.closed[0].first_day
        self.start = datetime(first.year, first.month, 1, tzinfo=UTC)
        self.apart = (self.now - self.start - timedelta(minutes=1)) // max(1, self.tasks)
        self.client = Client()

    def make(self) -> None:
        from accounts.facade import add_member, create_user  # noqa: PLC0415
        from agents.facade import set_up_organization  # noqa: PLC0415
        from billing.facade import Invoice, refresh_open_revenue  # noqa: PLC0415
        from metering.facade import advance_projections  # noqa: PLC0415

        self.organization = set_up_organization(name="Bench")
        user = create_user(email="owner@example.com", password="not used here")
        add_member(organization=self.organization, user=user, role="owner")
        self.client.force_login(user)
        self._subscribe()
        said = [f"{self.tasks * EVENTS_OF_A_TASK:,} events filled in {timed(self._fill):.0f} s"]
        said.append(f"tasks in {timed(self.fill_tasks):.0f} s")
        settle()
        said.append(f"meters projected in {timed(advance_projections):.0f} s")
        settle()
        said.append(f"months closed in {timed(self._close):.0f} s")
        settle()
        refresh_open_revenue(now=self.now)
        count = Invoice.objects.count()
        print(f"{self.customers:,} customers, {count:,} invoices; {', '.join(said)}", flush=True)

    def _close(self) -> None:
        from billing.facade import close_month  # noqa: PLC0415

        for month in self.closed:
            first = month.next().first_day
            now = datetime(first.year, first.month, 2, 6, tzinfo=UTC)
            close_month(organization=self.organization, month=month, now=now)

    def _subscribe(self) -> None:
        from billing.facade import create_plan  # noqa: PLC0415
        from billing.models import Customer, Subscription  # noqa: PLC0415

        usage = {"kind": "usage", "model": {"type": "per_unit", "unit_amount": "0.04"}}
        prices = [
            {"key": "base", "name": "Base fee", "kind": "fixed", "model": {"type": "flat", "amount": "49"}},
            {"key": "turns", "name": "Turns", "meter": "turns", "included": "50", **usage},
            {"key": "decisions", "name": "Decisions", "meter": "decisions", **usage},
            {"key": "compute", "name": "Compute", "meter": "compute_seconds", **usage},
        ]
        organization = self.organization
        plans = [
            create_plan(organization=organization, key=f"plan-{i}", name=f"Plan {i}", currency="USD", prices=prices)
            for i in range(PLANS)
        ]
        versions = [plan.versions.get() for plan in plans]
        made = Customer.objects.bulk_create(
            Customer(organization=organization, key=f"customer-{i}", name=f"Customer {i}")
            for i in range(self.customers)
        )
        Subscription.objects.bulk_create(
            Subscription(
                organization=organization, customer=one, plan_version=versions[i % PLANS], starts_at=self.start
            )
            for i, one in enumerate(made)
        )

    def _fill(self) -> None:
        from django.db import connection  # noqa: PLC0415

        fixed = {
            "organization": self.organization.pk,
            "start": self.start,
            "apart": self.apart // timedelta(microseconds=1),
            "end": self.now,
            "customers": self.customers,
            "types": list(_TYPES),
            "models": list(MODELS),
            "hardware": list(HARDWARE),
            "regions": list(REGIONS),
        }
        events = self.tasks * EVENTS_OF_A_TASK
        with connection.cursor() as cursor:
            for month in (*self.closed, self.present):
                cursor.execute("SELECT metering_make_partition(%s)", [month.first_day])
            for first in range(0, events, BATCH):
                cursor.execute(_FILL, fixed | {"first": first, "last": min(first + BATCH, events) - 1})

    def fill_tasks(self) -> None:
        """What the projection of tasks and calls makes of the events."""
        from django.db import connection  # noqa: PLC0415

        from agents.models import CallUsage, TaskProjection, TaskSummary  # noqa: PLC0415

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT ON (xid) substr(event_id, 7)::bigint, xid::text FROM metering_usageevent"
                " WHERE organization_id = %s ORDER BY xid, time",
                [self.organization.pk],
            )
            transactions = {number // BATCH: int(xid) for number, xid in cursor.fetchall()}
        _copy(TaskSummary, self._summaries(transactions))
        _copy(CallUsage, self._calls())
        with connection.cursor() as cursor:
            for table, at, names in _SUMMED:
                kind = ", ".join((*names, "provider", "model", "hardware", "region", "cost_currency"))
                cursor.execute(_SUM_CALLS.format(table=table, at=at, kind=kind))
            cursor.execute(_COUNT_ENDED)
        TaskProjection.objects.update_or_create(
            organization=self.organization, defaults={"xid": max(transactions.values()) + 1}
        )

    def _summaries(self, transactions: dict[int, int]) -> Iterator[dict[str, Any]]:
        from agents.domain.readings import key_of  # noqa: PLC0415

        for task in range(self.tasks):
            began = self.start + task * self.apart
            xid = transactions[task * EVENTS_OF_A_TASK // BATCH]
            yield {
                "organization_id": self.organization.pk,
                "task_key": key_of(f"task-{task}"),
                "task_id": f"task-{task}",
                "customer": self.customer_of(task),
                "agent": f"agent-{task // 7 % AGENTS}",
                "is_test": False,
                "started_at": began,
                "latest_at": began + timedelta(seconds=7),
                "ended_at": began + timedelta(seconds=7),
                "outcome": "failed" if task % 9 == 0 else "succeeded",
                "turns": 2,
                "decisions": 2,
                "tool_calls": 1,
                "inference_calls": 2,
                "attempts": 1,
                "events": EVENTS_OF_A_TASK,
                "said": "{}",
                "ends": "{}",
                "transactions": [xid],
            }

    def _calls(self) -> Iterator[dict[str, Any]]:
        """The calls of each task. One that goes on over the hour is one row all the same."""
        from agents.domain.readings import key_of  # noqa: PLC0415

        for task in range(self.tasks):
            began = self.start + task * self.apart
            hour = began.replace(minute=0, second=0, microsecond=0)
            kind = task // 3 % 3
            kinds = {
                "customer": self.customer_of(task),
                "agent": f"agent-{task // 7 % AGENTS}",
                "provider": "taximeter",
                "model": MODELS[kind],
                "hardware": HARDWARE[kind],
                "region": REGIONS[task // 5 % 2],
                "cost_currency": "USD",
            }
            yield kinds | {
                "organization_id": self.organization.pk,
                "group_key": key_of(f"task-{task}", *kinds.values()),
                "hour": hour,
                "task_key": key_of(f"task-{task}"),
                "is_first": True,
                "calls": 2,
                "input_tokens": 800,
                "output_tokens": 120,
                "cached_input_tokens": 0,
                "cache_write_tokens": 0,
                "compute_seconds": "1.5",
                "cost": "0.04",
            }

    @property
    def customer(self) -> Any:
        """One of them, by which pages of a single customer are measured."""
        from billing.facade import get_customer  # noqa: PLC0415

        key = f"customer-{self.customers // 2}"
        return get_customer(organization_id=self.organization.pk, customer=key)

    def invoice(self) -> Any:
        """The newest invoice of that customer."""
        from billing.facade import invoices_of  # noqa: PLC0415

        return invoices_of(self.organization.pk, customer=self.customer.key).order_by("-month")[0]

    def task_of(self, customer: Any) -> str:
        """The id of the first task of a customer."""
        return next(f"task-{task}" for task in range(self.tasks) if self.customer_of(task) == customer.key)

    def portal(self) -> Any:
        """A client in which that customer is in its portal."""
        from django.test import Client  # noqa: PLC0415

        from accounts.facade import create_portal_link  # noqa: PLC0415
        from kernel.clock import system_clock  # noqa: PLC0415

        client = Client()
        _, link = create_portal_link(
            organization=self.organization,
            customer=self.customer.pk,
            now=system_clock(),
            link_of=lambda token: f"/portal/open/{token}",
        )
        client.post(link)
        return client

    def customer_of(self, task: int) -> str:
        return f"customer-{task * 7919 % self.customers}"


def _copy(model: Any, rows: Iterator[dict[str, Any]]) -> None:
    from django.db import connection, transaction  # noqa: PLC0415

    first = next(rows)
    names = ", ".join(first)
    statement = f"COPY {model._meta.db_table} ({names}) FROM STDIN"
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write_row(list(first.values()))
        for row in rows:
            copy.write_row(list(row.values()))


def settle() -> None:
    """What autovacuum does within minutes."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
