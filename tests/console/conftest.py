"""An organization with customers on two plans, usage in October 2026 and its invoices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from taximeter.events import build_event

from accounts.facade import Organization, User, add_member, create_user
from agents.facade import advance_task_summaries, set_up_organization
from billing.facade import Customer, Invoice, Plan, close_month, create_customer, create_plan, invoices_of, subscribe
from kernel.clock import system_clock
from kernel.period import Month
from metering.facade import ingest
from tests.furnishing import furnish

OCTOBER = Month(2026, 10)
CLOSING = datetime(2026, 11, 2, 6, tzinfo=UTC)
PASSWORD = "checker cab 1971"


@dataclass
class Vendor:
    """An organization, and a browser in which one of its members is signed in."""

    organization: Organization
    user: User
    client: Client

    def customer(self, key: str, plan: Plan | None = None, **fields: Any) -> Customer:
        made = create_customer(organization=self.organization, key=key, **fields)
        if plan:
            subscribe(customer=made, plan=plan, starts_at=datetime(2026, 9, 1, tzinfo=UTC))
        return made

    def record(self, events: Iterable[dict[str, Any]]) -> None:
        result = ingest(organization_id=self.organization.pk, events=list(events), received_at=system_clock())
        assert not result.rejected

    def close_october(self) -> list[Invoice]:
        close_month(organization=self.organization, month=OCTOBER, now=CLOSING)
        return list(invoices_of(self.organization.pk))

    def invoice_of(self, customer: str) -> Invoice:
        return invoices_of(self.organization.pk, customer=customer).get()

    def member(self, role: str) -> Client:
        """A browser of another member with `role`."""
        user = create_user(email=f"{role}@{self.organization.key}.example", password=PASSWORD)
        add_member(organization=self.organization, user=user, role=role)
        return signed_in(user)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_vendor(name: str) -> Vendor:
    """With the standard meters and nothing else."""
    organization = set_up_organization(name=name)
    user = create_user(email=f"owner@{organization.key}.example", password=PASSWORD)
    add_member(organization=organization, user=user, role="owner")
    return Vendor(organization, user, signed_in(user))


def activity_plan(organization: Organization) -> Plan:
    """$0.05 a turn, $0.01 a decision, $0.99 a succeeded task."""
    amounts = {"turns": "0.05", "decisions": "0.01", "succeeded_tasks": "0.99"}
    prices = [
        {
            "key": key,
            "name": key.replace("_", " ").capitalize(),
            "kind": "usage",
            "meter": key,
            "model": {"type": "per_unit", "unit_amount": amount},
        }
        for key, amount in amounts.items()
    ]
    return create_plan(organization=organization, key="activity", name="Agent activity", currency="USD", prices=prices)


def hybrid_plan(organization: Organization) -> Plan:
    """$49 and $0.04 a turn after 500; $0.01, then $0.005 a compute second from 100 on."""
    tiers = [{"up_to": "100", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]
    prices = [
        {"key": "base", "name": "Base fee", "kind": "fixed", "model": {"type": "flat", "amount": "49"}},
        {
            "key": "turns",
            "name": "Turns",
            "kind": "usage",
            "meter": "turns",
            "included": "500",
            "model": {"type": "per_unit", "unit_amount": "0.04"},
        },
        {
            "key": "compute",
            "name": "Compute",
            "kind": "usage",
            "meter": "compute_seconds",
            "model": {"type": "graduated", "tiers": tiers},
        },
    ]
    return create_plan(organization=organization, key="hybrid", name="Hybrid", currency="USD", prices=prices)


def turns(customer: str, count: int, *, start: datetime, agent: str = "support") -> list[dict[str, Any]]:
    """`count` turns of one task, a second apart."""
    task = f"{customer}-{start:%m%d}"
    return [
        build_event(
            id=f"{task}/turn-{i}",
            source="test",
            type="agent.turn",
            time=start + timedelta(seconds=i),
            customer=customer,
            data={"agent": agent, "task_id": task, "turn_id": f"{task}/turn-{i}"},
        )
        for i in range(1, count + 1)
    ]


def task_events(customer: str, *, start: datetime, agent: str = "support") -> list[dict[str, Any]]:
    """A task of one turn: an inference call, the decision it led to, and the tool call that carried it out."""
    task, turn = f"task-{customer}", f"task-{customer}/turn-1"
    common = {"agent": agent, "task_id": task}
    call = {
        "turn_id": turn,
        "model": "tiny",
        "input_tokens": 410,
        "output_tokens": 58,
        "compute_seconds": "250",
        "cost": "0.25",
        "cost_currency": "USD",
    }
    parts: list[tuple[str, str, dict[str, Any]]] = [
        ("inference.call", f"{turn}/inference-1", call),
        (
            "agent.decision",
            f"{turn}/decision-1",
            {"turn_id": turn, "decision_id": f"{turn}/decision-1", "choice": "refund"},
        ),
        (
            "agent.tool_call",
            f"{turn}/tool-call-1",
            {"turn_id": turn, "decision_id": f"{turn}/decision-1", "tool": "bank"},
        ),
        ("agent.turn", turn, {"turn_id": turn}),
        ("agent.task", f"{task}/task", {"outcome": "succeeded", "turns": 1, "decisions": 1}),
    ]
    return [
        build_event(
            id=id, source="test", type=type, time=start + timedelta(seconds=i), customer=customer, data=common | data
        )
        for i, (type, id, data) in enumerate(parts)
    ]


@pytest.fixture
def empty(db: None) -> Vendor:
    return make_vendor("Fresh Ltd")


def _closed(name: str) -> Vendor:
    made = make_vendor(name)
    made.customer("acme", activity_plan(made.organization), name="Acme <script>alert(1)</script>")
    made.customer("birch", hybrid_plan(made.organization), name="Birch & Sons")
    made.record(turns("acme", 3, start=datetime(2026, 10, 5, 9, tzinfo=UTC)))
    made.record(turns("birch", 502, start=datetime(2026, 10, 6, 9, tzinfo=UTC), agent="desk"))
    made.record(task_events("birch", start=datetime(2026, 10, 7, 9, tzinfo=UTC)))
    made.close_october()
    advance_task_summaries()
    return made


def _northwind() -> Vendor:
    return _closed("Northwind")


def _found(keys: tuple[int, int]) -> Vendor:
    user = User.objects.get(pk=keys[1])
    return Vendor(Organization.objects.get(pk=keys[0]), user, signed_in(user))


@pytest.fixture
def vendor(db: None) -> Vendor:
    """`acme` on the activity plan with 3 turns, `birch` on the hybrid one with 503 turns and a task; closed."""
    return furnish(_northwind, keep=lambda made: (made.organization.pk, made.user.pk), find=_found)


@pytest.fixture
def committed_vendor(transactional_db: None) -> Vendor:
    """The same, committed step by step: the events behind a line, what tasks did and what calls cost are known of
    transactions that had ended."""
    return _closed("Northwind")
