"""Thresholds: reached once per period, on fresh usage, and told of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from budgets.facade import Budget, budget_state, evaluate_budgets, get_budget, remove_budget, update_budget
from budgets.models import Crossing, RunningTotal
from metering.facade import advance_projections
from notifications.models import Mail
from tests.api import Api
from tests.budgets.conftest import NOW, crossed, evaluate

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]


def used(budget: Budget) -> str:
    return f"{RunningTotal.objects.get(budget=budget).used:f}"


def test_a_threshold_alerts_with_the_event_that_reaches_it_and_never_again(budget: Make, turns: Make) -> None:
    one = budget(10, scope="customer", customer="acme")
    turns("acme", 7)
    evaluate()
    assert crossed(one) == []
    turns("acme", 1)
    evaluate()
    evaluate()
    assert crossed(one) == [("80", "8")]
    turns("acme", 5)
    evaluate()
    assert crossed(one) == [("80", "8"), ("100", "13")]
    mail = Mail.objects.get()
    assert (mail.kind, mail.to) == ("budget_reached", ["ops@vendor.example"])
    assert {"percent": "80", "used": "8", "amount": "10"}.items() <= mail.context.items()


def test_usage_is_the_same_before_and_after_it_is_projected(budget: Make, turns: Make) -> None:
    one = budget(10, scope="customer", customer="acme")
    turns("acme", 3)
    evaluate()
    assert used(one) == "3"
    advance_projections()
    turns("acme", 2)
    evaluate()
    assert used(one) == "5"


def test_nothing_is_evaluated_where_nothing_has_changed(budget: Make, turns: Make) -> None:
    budget(10, scope="customer", customer="acme")
    budget(10, scope="customer", customer="brock")
    assert evaluate() == 2
    assert evaluate() == 0
    turns("acme")
    assert evaluate() == 1


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, "6"),
        ({"scope": "customer", "customer": "brock"}, "2"),
        ({"scope": "agent", "agent": "support"}, "3"),
        ({"scope": "plan", "plan": "activity"}, "3"),
    ],
)
def test_a_budget_counts_what_it_is_of(
    budget: Make, turns: Make, subscribe: Make, scope: dict[str, Any], expected: str
) -> None:
    subscribe("acme", "activity")
    one = budget(100, **scope)
    turns("acme", 1, agent="support")
    turns("acme", 2, agent="sales")
    turns("brock", 2, agent="support")
    turns(None, 1)
    evaluate()
    assert used(one) == expected


def test_taken_back_usage_that_comes_again_is_one_alert(vendor: Api, budget: Make, turns: Make) -> None:
    one = budget(10, scope="customer", customer="acme")
    names = turns("acme", 8)
    evaluate()
    vendor.post("events/void", {**names[0], "reason": "wrong"})
    evaluate()
    assert (used(one), crossed(one)) == ("7", [("80", "8")])
    turns("acme", 2)
    evaluate()
    assert crossed(one) == [("80", "8")]


def test_late_usage_counts_in_the_period_of_its_time(budget: Make, turns: Make) -> None:
    one = budget(2, scope="customer", customer="acme", period="day")
    turns("acme", 5, "2026-10-13T23:59:59Z")
    turns("acme", 1, "2026-10-14T00:00:00Z")
    evaluate()
    assert (used(one), crossed(one)) == ("1", [])


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        ("day", "2026-10-14T12:00Z", "2026-10-13T22:00Z", "2026-10-14T22:00Z"),
        # clocks go back on 25 October: 25 hours; and forward on 29 March: 23
        ("day", "2026-10-25T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("day", "2026-03-29T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("week", "2026-10-14T12:00Z", "2026-10-11T22:00Z", "2026-10-18T22:00Z"),
        ("month", "2026-10-14T12:00Z", "2026-09-30T22:00Z", "2026-10-31T23:00Z"),
        ("total", "2026-10-14T12:00Z", "1970-01-01T00:00Z", "3000-01-01T00:00Z"),
    ],
)
def test_periods_are_those_of_the_budgets_zone(budget: Make, period: str, now: str, start: str, end: str) -> None:
    one = budget(2, period=period, timezone="Europe/Berlin")
    at = datetime.fromisoformat(now)
    evaluate(at)
    total = RunningTotal.objects.get(budget=one)
    assert (total.period_start, total.period_end) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


def test_a_new_period_begins_at_nothing_and_alerts_again(budget: Make, turns: Make) -> None:
    one = budget(2, scope="customer", customer="acme", period="day")
    turns("acme", 2)
    evaluate()
    midnight = datetime(2026, 10, 15, tzinfo=UTC)
    assert evaluate(midnight) == 1
    assert used(one) == "0"
    turns("acme", 2, "2026-10-15T08:00:00Z")
    evaluate(midnight)
    assert crossed(one) == [("80", "2"), ("100", "2"), ("80", "2"), ("100", "2")]


def test_an_amount_that_was_changed_is_crossed_anew(budget: Make, turns: Make) -> None:
    one = budget(10, scope="customer", customer="acme")
    turns("acme", 8)
    evaluate()
    update_budget(budget=one, amount=one.amount * 2)
    evaluate()
    assert crossed(one) == [("80", "8")]
    turns("acme", 8)
    evaluate()
    assert crossed(one) == [("80", "8"), ("80", "16")]


def test_a_removed_budget_alerts_no_more_and_leaves_its_key(budget: Make, turns: Make) -> None:
    one = budget(1, key="mine")
    remove_budget(budget=one, now=NOW)
    turns("acme", 2)
    evaluate()
    assert crossed(one) == []
    budget(1, key="mine")


def test_spend_is_what_the_open_periods_invoice_will_charge(budget: Make, turns: Make, subscribe: Make) -> None:
    subscribe("acme", "activity")
    one = budget(1, measure={"money": "spend"}, scope="customer", customer="acme", period="billing_period")
    turns("acme", 19)
    evaluate()
    # 19 turns at 0.05
    assert (used(one), crossed(one)) == ("0.95", [("80", "0.95")])
    turns("acme", 1)
    evaluate()
    assert crossed(one)[1:] == [("100", "1")] or crossed(one)[1:] == [("100", "1.00")]


def test_a_customer_without_a_subscription_has_no_billing_period(budget: Make, turns: Make) -> None:
    one = budget(1, scope="customer", customer="acme", period="billing_period")
    turns("acme", 5)
    evaluate()
    assert crossed(one) == []
    state = budget_state(get_budget(organization_id=one.organization_id, budget=one.key), now=NOW)
    assert (state.period_start, state.used) == (None, 0)


def test_customers_on_a_test_clock_have_its_periods(vendor: Api, budget: Make, turns: Make) -> None:
    clock = vendor.post("test_clocks", {"now": "2027-03-10T00:00:00Z"}).json()["id"]
    vendor.customer("later", test_clock=clock)
    one = budget(1, scope="customer", customer="later", period="day")
    turns("later", 1, "2027-03-10T10:00:00Z")
    evaluate()
    assert crossed(one) == [("80", "1"), ("100", "1")]
    vendor.post(f"test_clocks/{clock}/advance", {"to": "2027-03-11T00:00:00Z"})
    assert evaluate() == 1
    assert used(one) == "0"


def test_the_state_of_a_period_that_is_over_is_nothing_used(budget: Make, turns: Make) -> None:
    one = budget(10, period="day")
    turns("acme", 4)
    evaluate()
    found = get_budget(organization_id=one.organization_id, budget=one.key)
    assert budget_state(found, now=NOW).percent == 40
    assert budget_state(found, now=datetime(2026, 10, 15, tzinfo=UTC)).used == 0


def test_an_evaluation_that_is_overtaken_writes_nothing_and_is_made_again(budget: Make, turns: Make) -> None:
    one = budget(10)
    turns("acme", 9)
    RunningTotal.objects.filter(budget=one).update(revision=5)
    evaluate_budgets(now=NOW)
    assert Crossing.objects.count() == 1
