from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from budgets.facade import Budget, create_budget, evaluate_budgets
from budgets.models import Crossing, RunningTotal
from budgets.queries import facts, features
from tests.api import Api
from tests.billing.conftest import PLANS

#: The present of tests that pass time in: a Wednesday.
NOW = datetime(2026, 10, 14, 12, tzinfo=UTC)

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _nothing_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of plans and features are seen at once, where it would take three seconds."""
    for kept in (facts._kept, features._kept):
        monkeypatch.setattr(kept, "seconds", -1.0)


@pytest.fixture
def vendor(api: Api) -> Api:
    """An organization with meters and plans, and the customers acme and brock."""
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"agent": "data.agent"})
    api.meter("decisions", event_type="agent.decision", aggregation="count")
    api.meter(
        "tokens", event_type="inference.call", aggregation="sum", value="data.tokens",
        dimensions={"agent": "data.agent", "model": "data.model"},
    )  # fmt: skip
    api.meter(
        "succeeded_tasks",
        event_type="agent.task",
        aggregation="unique_count",
        value="data.task_id",
        filters=[{"path": "data.outcome", "op": "eq", "value": "succeeded"}],
    )
    api.meter("compute_seconds", event_type="inference.call", aggregation="sum", value="data.compute_seconds")
    for key, prices in PLANS.items():
        answer = api.post("plans", {"key": key, "currency": "USD", "prices": prices})
        assert answer.status_code == 201, answer.content
    api.customer("acme")
    api.customer("brock")
    return api


@pytest.fixture
def subscribe(vendor: Api) -> Callable[..., str]:
    def make(customer: str, plan: str, starts_at: str = "2026-09-01T00:00:00Z", **fields: Any) -> str:
        body = {"customer": customer, "plan": plan, "starts_at": starts_at} | fields
        answer = vendor.post("subscriptions", body)
        assert answer.status_code == 201, answer.content
        return str(answer.json()["id"])

    return make


@pytest.fixture
def turns(vendor: Api) -> Callable[..., list[dict[str, str]]]:
    """Sends so many turns of a customer; answers what names them."""

    def send(customer: str | None, number: int = 1, time: str = "2026-10-14T11:00:00Z", **data: Any) -> Any:
        names = [f"turn-{next(_numbers)}" for _ in range(number)]
        event = {"specversion": "1.0", "source": "test", "type": "agent.turn", "subject": customer, "time": time}
        events = [event | {"id": name, "data": data} for name in names]
        assert vendor.post("events", events).json()["accepted"] == number
        return [{"source": "test", "id": name} for name in names]

    return send


@pytest.fixture
def budget(vendor: Api) -> Callable[..., Budget]:
    """A budget on turns; alerts at 80 percent and stops at 100 unless told otherwise."""

    def make(amount: Any = 10, **fields: Any) -> Budget:
        from decimal import Decimal

        fields = {
            "key": f"budget-{next(_numbers)}",
            "measure": {"meter": "turns"},
            "period": "month",
            "thresholds": [
                {"percent": "80", "actions": ["mail", "webhook"], "recipients": ["ops@vendor.example"]},
                {"percent": "100", "actions": ["stop"]},
            ],
        } | fields
        return create_budget(organization=vendor.organization, amount=Decimal(str(amount)), **fields)

    return make


def budget_total(budget: Budget) -> RunningTotal:
    return RunningTotal.objects.get(budget=budget)


def evaluate(now: datetime = NOW) -> int:
    return evaluate_budgets(now=now)


def crossed(budget: Budget) -> list[tuple[str, str]]:
    """Percent and use of each crossing, in their order."""
    rows = Crossing.objects.filter(budget=budget).order_by("id")
    return [(f"{one.percent:f}", f"{one.used:f}") for one in rows]
