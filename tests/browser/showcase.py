"""An organization to look at: six customers on three plans, their agents' work of the last weeks, two closed months."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from taximeter.events import build_event

from agents.facade import register_agent
from billing.facade import Plan, close_month, create_plan, invoices_of, pay_invoice, subscribe
from budgets.facade import create_budget
from kernel.period import Month
from metering.facade import ingest
from tests.console.conftest import Vendor, activity_plan, hybrid_plan, make_vendor

#: Key, name, plan, the agent that works for it, and about how many tasks a day.
CUSTOMERS = [
    ("acme", "Acme Logistics", "hybrid", "dispatcher", 7),
    ("birch", "Birch & Sons", "activity", "support", 5),
    ("cedar", "Cedar Health", "outcome", "support", 6),
    ("dune", "Dune Travel", "activity", "booking", 4),
    ("elm", "Elm Insurance", "outcome", "claims", 5),
    ("fjord", "Fjord Robotics", "hybrid", "dispatcher", 3),
]
#: Model, hardware, region, what a thousand tokens cost, and tokens a second.
MODELS = [
    ("qwen3-8b", "l4", "eu", Decimal("0.0004"), 90),
    ("gpt-5-mini", "", "us", Decimal("0.0020"), 140),
    ("smollm2-135m", "cpu", "eu", Decimal("0.0001"), 40),
]
_AT_ONCE = 1000
_UTC = ZoneInfo("UTC")


def make_showcase(now: datetime) -> Vendor:
    """The months before the one of `now` are closed, and the older one is paid."""
    vendor = make_vendor("Northwind Agents")
    plans = _plans(vendor)
    this = Month(now.year, now.month)
    last = this.previous()
    first = last.previous()
    starts_at = datetime(first.year, first.month, 1, tzinfo=UTC)
    for key, name, plan, agent, _ in CUSTOMERS:
        register_agent(organization=vendor.organization, key=agent, version="3", name=agent.capitalize())
        made = vendor.customer(key, name=name, email=f"billing@{key}.example")
        subscribe(customer=made, plan=plans[plan], starts_at=starts_at)
    _record(vendor, list(_work(starts_at.date(), now)), now)
    for month, closed_at in ((first, last.period(_UTC).start), (last, this.period(_UTC).start)):
        close_month(organization=vendor.organization, month=month, now=closed_at + timedelta(hours=6))
    paid_at = last.period(_UTC).start + timedelta(days=12)
    for invoice in invoices_of(vendor.organization.pk, month=first):
        pay_invoice(invoice=invoice, now=paid_at, method="bank transfer", reference=f"Transfer of {invoice.number}")
    _budgets(vendor)
    return vendor


def _plans(vendor: Vendor) -> dict[str, Plan]:
    fee = {"key": "base", "name": "Platform", "kind": "fixed", "model": {"type": "flat", "amount": "99"}}
    tiers = [{"up_to": "100", "unit_amount": "1.20"}, {"up_to": None, "unit_amount": "0.90"}]
    solved = {"key": "solved", "name": "Solved tasks", "kind": "usage", "meter": "succeeded_tasks"}
    prices = [fee, solved | {"model": {"type": "graduated", "tiers": tiers}}]
    outcome = create_plan(
        organization=vendor.organization, key="outcome", name="Pay by outcome", currency="USD", prices=prices
    )
    return {
        "activity": activity_plan(vendor.organization),
        "hybrid": hybrid_plan(vendor.organization),
        "outcome": outcome,
    }


def _budgets(vendor: Vendor) -> None:
    common = {"organization": vendor.organization, "period": "month", "currency": "USD"}
    create_budget(
        **common,
        key="vendor-cost",
        name="What models may cost",
        measure={"money": "cost"},
        amount=Decimal(60),
        thresholds=[{"percent": "80", "actions": ["mail"]}],
    )


def _record(vendor: Vendor, events: list[dict[str, Any]], now: datetime) -> None:
    for start in range(0, len(events), _AT_ONCE):
        batch = events[start : start + _AT_ONCE]
        assert not ingest(organization_id=vendor.organization.pk, events=batch, received_at=now).rejected


def _work(first: date, now: datetime) -> Iterator[dict[str, Any]]:
    """The tasks of all days up to `now`, the same whenever they are made for the same days; fewer on weekends."""
    chance = random.Random(7)
    day = first
    while day <= now.date():
        for customer, _, _, agent, usual in CUSTOMERS:
            growth = 1 + (day - first).days / 150
            count = round(usual * growth * (0.4 if day.weekday() >= 5 else 1) * chance.uniform(0.6, 1.4))
            for i in range(count):
                began = datetime.combine(day, time(0), UTC) + timedelta(minutes=chance.randrange(6 * 60, 20 * 60))
                if began < now - timedelta(minutes=5):
                    yield from _task(f"{customer}-{day:%m%d}-{i}", customer, agent, began, chance)
        day += timedelta(days=1)


def _task(task: str, customer: str, agent: str, began: datetime, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Turns of an inference call, a decision and a tool call each, and how it ended."""
    model, hardware, region, price, speed = chance.choice(MODELS)
    turns, at = chance.randint(1, 4), began

    def event(type: str, id: str, data: dict[str, Any]) -> dict[str, Any]:
        common = {"agent": agent, "agent_version": "3", "task_id": task, "region": region}
        return build_event(
            id=f"{task}/{id}", source="agents", type=type, time=at, customer=customer, data=common | data
        )

    for number in range(1, turns + 1):
        turn = f"{task}/turn-{number}"
        decision = {"turn_id": turn, "decision_id": f"{turn}/decision"}
        read, written = chance.randint(300, 3000), chance.randint(40, 600)
        seconds = Decimal(written) / speed
        call = {"turn_id": turn, "model": model, "provider": "local" if hardware else "openai", "hardware": hardware}
        call |= {"input_tokens": read, "output_tokens": written, "compute_seconds": str(round(seconds, 3))}
        call |= {"cost": str(round(price * (read + 4 * written) / 100, 6)), "cost_currency": "USD"}
        yield event("inference.call", f"turn-{number}/inference", call)
        at += timedelta(seconds=float(seconds))
        yield event("agent.decision", f"turn-{number}/decision", decision | {"choice": chance.choice(_CHOICES)})
        at += timedelta(milliseconds=chance.randint(5, 60))
        yield event("agent.tool_call", f"turn-{number}/tool", decision | {"tool": chance.choice(_TOOLS)})
        at += timedelta(milliseconds=chance.randint(50, 900))
        yield event("agent.turn", f"turn-{number}", {"turn_id": turn})
        at += timedelta(seconds=chance.uniform(0.5, 8))
    outcome = chance.choices(("succeeded", "failed", "escalated"), (84, 6, 10))[0]
    yield event("agent.task", "task", {"outcome": outcome, "turns": turns, "decisions": turns})


_CHOICES = ("reply", "refund", "look up", "ask back")
_TOOLS = ("crm", "bank", "calendar", "search")
