"""Budgets on what work costs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from agents.facade import advance_task_summaries
from budgets.facade import Ask, check_entitlement, commit_reservation
from tests.api import Api
from tests.budgets.conftest import NOW, budget_total, crossed, evaluate

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]


@pytest.fixture
def calls(vendor: Api) -> Callable[..., None]:
    """Sends a call of a model that cost so much."""

    def send(name: str, cost: str, customer: str = "acme", currency: str = "USD", **data: Any) -> None:
        event = {
            "specversion": "1.0", "id": name, "source": "test", "type": "inference.call", "subject": customer,
            "time": "2026-10-14T11:00:00Z",
            "data": {"model": "m", "input_tokens": 1, "cost": cost, "cost_currency": currency} | data,
        }  # fmt: skip
        assert vendor.post("events", [event]).json()["accepted"] == 1

    return send


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, "6.5"),
        ({"scope": "customer", "customer": "acme"}, "4.5"),
        ({"scope": "agent", "agent": "support"}, "3.5"),
        ({"scope": "plan", "plan": "activity"}, "4.5"),
        ({"currency": "EUR"}, "9"),
    ],
)
def test_a_budget_on_cost_counts_what_it_is_of(
    budget: Make, calls: Make, subscribe: Make, scope: dict[str, Any], expected: str
) -> None:
    subscribe("acme", "activity")
    one = budget(5, measure={"money": "cost"}, **scope)
    calls("a", "1.5", agent="support")
    calls("b", "3", agent="sales")
    calls("c", "2", customer="brock", agent="support")
    calls("d", "9", currency="EUR")
    advance_task_summaries()
    evaluate()
    assert budget_total(one).used == Decimal(expected)


def test_a_budget_on_cost_is_looked_at_again_until_costs_are_worked_out(budget: Make, calls: Make) -> None:
    one = budget(5, measure={"money": "cost"}, period="day")
    calls("a", "4.5")
    evaluate()
    assert (budget_total(one).used, crossed(one)) == (0, [])
    advance_task_summaries()
    evaluate()
    assert crossed(one) == [("80", "4.5")]
    assert evaluate() == 0, "what is known is not worked out again"


def test_a_hold_on_cost_stays_until_the_cost_of_its_own_calls_is_known(vendor: Api, budget: Make, calls: Make) -> None:
    one = budget(10, measure={"money": "cost"})
    advance_task_summaries()
    ask = Ask(customer="acme", meter="turns", cost=Decimal(4), reserve=True)
    held = check_entitlement(organization_id=vendor.organization.pk, ask=ask, now=NOW)
    calls("a", "3")
    commit_reservation(organization_id=vendor.organization.pk, reservation=held.reservation.id, now=NOW)
    evaluate()
    assert (budget_total(one).used, budget_total(one).held) == (0, 4)
    advance_task_summaries()
    # Another call, which is not worked out yet, does not hold it up.
    calls("b", "1")
    evaluate()
    assert (budget_total(one).used, budget_total(one).held) == (3, 0)
