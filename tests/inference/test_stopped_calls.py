"""Calls through the door where a budget is used up: refused before the engine works on them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import openai
import pytest

from accounts.facade import create_api_key
from billing.facade import create_customer
from budgets.facade import create_budget, evaluate_budgets
from kernel.clock import system_clock
from metering.facade import create_meter
from tests.inference.door import HEADERS, MESSAGES, Door

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def budget(door: Door) -> Any:
    """One that stops all work once it has used a token."""
    create_meter(
        organization_id=door.organization.pk,
        key="output_tokens",
        name="Output tokens",
        definition={
            "event_type": "inference.call",
            "aggregation": "sum",
            "value": "data.output_tokens",
            "dimensions": {"agent": "data.agent"},
        },
    )
    create_customer(organization=door.organization, key="acme", name="Acme")

    def make(**fields: Any) -> None:
        create_budget(
            organization=door.organization,
            key="tokens",
            measure={"meter": "output_tokens"},
            amount=Decimal(1),
            period="total",
            thresholds=[{"percent": "100", "actions": ["stop"]}],
            **fields,
        )

    return make


def answer(door: Door, **headers: str) -> Any:
    with door.client(default_headers=HEADERS | headers) as client:
        return client.chat.completions.create(model=door.model, messages=MESSAGES, max_tokens=4, temperature=0)


def refusal(door: Door, **headers: str) -> str:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        answer(door, **headers)
    return f"{refused.value.code}: {refused.value.body['message']}"


def use_up(door: Door) -> None:
    assert answer(door).usage.completion_tokens >= 1
    evaluate_budgets(now=system_clock())


def test_a_budget_that_is_used_up_refuses_the_next_call_and_nothing_is_computed(door: Door, budget: Any) -> None:
    budget(scope="customer", customer="acme")
    use_up(door)
    assert refusal(door) == "budget_stopped: The budget tokens is used up"
    assert len(door.events()) == 1
    assert answer(door, **{"X-Customer": "brock"}).usage.completion_tokens >= 1


def test_a_budget_of_an_agent_stops_all_its_versions(door: Door, budget: Any) -> None:
    budget(scope="agent", agent="support")
    use_up(door)
    assert refusal(door, **{"X-Agent": "support@4", "X-Customer": "nobody-yet"}).startswith("budget_stopped: ")


def test_a_customers_own_key_hears_of_no_limits_of_others(door: Door, budget: Any) -> None:
    budget(scope="organization")
    use_up(door)
    _, door.secret = create_api_key(organization=door.organization, name="acme", scopes=["ingest"], customer="acme")
    assert refusal(door) == "limit_reached: There is no more room for this work"
