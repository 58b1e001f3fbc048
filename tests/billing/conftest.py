from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.api import Api

#: The four plans of the demo: per seat, per compute second, per activity, and a base fee with metered use.
PLANS: dict[str, list[dict[str, Any]]] = {
    "seat": [{"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "30"}}],
    "compute": [
        {
            "key": "compute",
            "kind": "usage",
            "meter": "compute_seconds",
            "model": {
                "type": "graduated",
                "tiers": [{"up_to": "100", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}],
            },
        }
    ],
    "activity": [
        {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.05"}},
        {
            "key": "decisions",
            "kind": "usage",
            "meter": "decisions",
            "model": {"type": "per_unit", "unit_amount": "0.01"},
        },
        {
            "key": "tasks",
            "kind": "usage",
            "meter": "succeeded_tasks",
            "model": {"type": "per_unit", "unit_amount": "0.99"},
        },
    ],
    "hybrid": [
        {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}},
        {
            "key": "turns",
            "kind": "usage",
            "meter": "turns",
            "included": "500",
            "model": {"type": "per_unit", "unit_amount": "0.04"},
        },
        {
            "key": "compute",
            "kind": "usage",
            "meter": "compute_seconds",
            "model": {"type": "per_unit", "unit_amount": "0.002"},
        },
    ],
}


@pytest.fixture
def vendor(api: Api) -> Api:
    """An organization with meters and the four plans, through the API."""
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"agent": "data.agent"})
    api.meter("decisions", event_type="agent.decision", aggregation="count")
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
    return api


@pytest.fixture
def subscribe(vendor: Api) -> Callable[..., str]:
    """Makes a customer and puts it on a plan; answers the subscription's id."""

    def make(customer: str, plan: str, starts_at: str = "2026-09-01T00:00:00Z", **fields: Any) -> str:
        settings = {name: fields.pop(name) for name in ("timezone", "tax_rate") if name in fields}
        if vendor.get(f"customers/{customer}").status_code == 404:
            vendor.customer(customer, **settings)
        body = {"customer": customer, "plan": plan, "starts_at": starts_at} | fields
        # A customer may be put on a plan twice, on purpose.
        answer = vendor.post("subscriptions", body, **{"idempotency-key": uuid4().hex})
        assert answer.status_code == 201, answer.content
        return str(answer.json()["id"])

    return make


@pytest.fixture
def send(vendor: Api) -> Callable[..., None]:
    """Sends `number` events of a type for a customer in October 2026."""

    def make(customer: str, event_type: str, number: int = 1, *, name: str = "e", **data: Any) -> None:
        day = data.pop("day", "2026-10-03T10:00:00Z")
        events = [
            {
                "specversion": "1.0",
                "id": f"{customer}-{event_type}-{name}-{i}",
                "source": "test",
                "type": event_type,
                "subject": customer,
                "time": day,
                "data": {"task_id": f"{name}-{i}"} | data,
            }
            for i in range(number)
        ]
        assert vendor.post("events", events).json()["accepted"] == number

    return make
