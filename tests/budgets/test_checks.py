"""May an agent do this? Asked over the API, as agents do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.facade import create_api_key
from budgets.api.inputs import CheckInput
from budgets.api.quick import read_ask
from budgets.contracts import Ask as Contract
from budgets.facade import check_work, remove_budget, update_budget
from budgets.models import RunningTotal
from budgets.queries import facts, features, rules
from kernel.clock import system_clock
from rest.parsers import decode_json
from tests.api import Api, make_api
from tests.budgets.conftest import budget_total, evaluate
from tests.examples import examples

pytestmark = pytest.mark.django_db

Make = Callable[..., Any]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(vendor: Api) -> Ask:
    def post(**fields: Any) -> dict[str, Any]:
        answer = vendor.post("entitlements/check", {"customer": "acme"} | fields)
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    return post


def entitle(api: Api, plan: str, *entitlements: dict[str, Any]) -> None:
    path = f"/api/v1/plans/{plan}/versions/1/entitlements"
    body = {"entitlements": list(entitlements)}
    answer = api.client.put(path, body, content_type="application/json")
    assert answer.status_code == 200, answer.content


def test_what_nothing_limits_is_allowed(ask: Ask) -> None:
    assert ask(meter="turns", quantity="1000000") == {
        "allowed": True,
        "reason": None,
        "detail": None,
        "budget": None,
        "remaining": None,
        "remaining_amount": None,
        "currency": None,
        "warnings": [],
        "reservation": None,
    }


@pytest.mark.django_db(transaction=True)
def test_a_budget_refuses_what_would_go_beyond_it(ask: Ask, budget: Make, turns: Make) -> None:
    one = budget(10, period="total")
    turns("acme", 7)
    evaluate(system_clock())
    asked = ask(meter="turns", quantity="3")
    assert (asked["allowed"], asked["remaining"]) == (True, "3")
    refused = ask(meter="turns", quantity="3.5")
    assert (refused["allowed"], refused["reason"], refused["budget"]) == (False, "limit_reached", one.pk)
    turns("acme", 3)
    evaluate(system_clock())
    stopped = ask(meter="turns", quantity="0")
    assert (stopped["allowed"], stopped["reason"], stopped["remaining"]) == (False, "budget_stopped", "0")


def test_an_alert_alone_stops_nothing(ask: Ask, budget: Make, turns: Make) -> None:
    budget(1, period="total", thresholds=[{"percent": "100", "actions": ["webhook"]}])
    turns("acme", 5)
    evaluate(system_clock())
    assert ask(meter="turns")["allowed"] is True


def test_a_budget_stops_only_what_it_is_of(ask: Ask, budget: Make, subscribe: Make) -> None:
    subscribe("acme", "activity")
    budget(1, period="total", scope="customer", customer="brock")
    budget(1, period="total", scope="agent", agent="sales")
    budget(1, period="total", scope="plan", plan="activity")
    assert ask(customer="acme", meter="turns", quantity="2", agent="support")["reason"] == "limit_reached"
    assert ask(customer="acme", meter="decisions", quantity="2", agent="support")["allowed"] is True
    assert ask(customer="brock", meter="turns", quantity="2")["reason"] == "limit_reached"
    assert ask(customer="brock", meter="turns", quantity="1")["allowed"] is True
    assert ask(customer="brock", meter="turns", quantity="1", agent="sales", reserve=True)["allowed"] is True
    assert ask(customer="acme", meter="turns", quantity="1", agent="sales")["allowed"] is False


def test_a_filter_stops_what_is_or_may_be_of_it(ask: Ask, budget: Make) -> None:
    budget(1, period="total", measure={"meter": "tokens", "filter": {"model": "large"}})
    assert ask(meter="tokens", quantity="5", dimensions={"model": "small"})["allowed"] is True
    assert ask(meter="tokens", quantity="5", dimensions={"model": "large"})["allowed"] is False
    assert ask(meter="tokens", quantity="5")["allowed"] is False


def test_a_budget_in_money_goes_by_what_the_plan_charges_at_most(ask: Ask, budget: Make, subscribe: Make) -> None:
    subscribe("acme", "activity")
    budget(1, measure={"money": "spend"}, scope="customer", customer="acme", period="billing_period")
    # a turn is 0.05
    assert ask(meter="turns", quantity="20", reserve=True)["remaining_amount"] == "0"
    assert ask(meter="turns", quantity="1")["reason"] == "limit_reached"


def test_a_budget_in_money_takes_the_agents_estimate(ask: Ask, vendor: Api, budget: Make) -> None:
    budget("2.50", measure={"money": "cost"}, period="total", key="costs")
    assert ask(meter="turns", cost="2.51")["reason"] == "limit_reached"
    assert ask(meter="turns", cost="2.50", reserve=True)["allowed"] is True
    body = {"customer": "acme", "meter": "turns", "reserve": True}
    assert vendor.post("entitlements/check", body).json()["code"] == "estimate_required"


def test_a_feature_has_to_be_in_a_plan_of_the_customer(ask: Ask, vendor: Api, subscribe: Make) -> None:
    vendor.post("features", {"key": "search"})
    vendor.post("features", {"key": "export"})
    entitle(vendor, "activity", {"feature": "search"})
    assert ask(feature="search")["reason"] == "no_subscription"
    subscribe("acme", "activity")
    assert ask(feature="search")["allowed"] is True
    assert ask(feature="export")["reason"] == "feature_not_in_plan"


def test_a_hard_limit_of_a_plan_refuses_and_a_soft_one_warns(
    ask: Ask, vendor: Api, subscribe: Make, turns: Make
) -> None:
    vendor.post("features", {"key": "work", "meter": "turns"})
    vendor.post("features", {"key": "choice", "meter": "decisions"})
    entitle(
        vendor,
        "activity",
        {"feature": "work", "limit": "5", "period": "total"},
        {"feature": "choice", "limit": "2", "hard": False, "period": "total"},
    )
    subscribe("acme", "activity")
    turns("acme", 3)
    assert ask(feature="work", quantity="2", reserve=True)["remaining"] == "0"
    assert ask(feature="work")["reason"] == "limit_reached"
    assert ask(meter="turns")["reason"] == "limit_reached", "the meter is limited through the feature"
    soft = ask(feature="choice", quantity="3")
    assert (soft["allowed"], soft["warnings"]) == (True, ["soft_limit_reached"])


def test_a_budget_that_was_changed_counts_at_once(ask: Ask, budget: Make) -> None:
    one = budget(1, period="total")
    assert ask(meter="turns", quantity="2")["allowed"] is False
    update_budget(budget=one, amount=Decimal(2))
    assert ask(meter="turns", quantity="2")["allowed"] is True
    remove_budget(budget=one, now=system_clock())
    assert ask(meter="turns", quantity="99")["allowed"] is True


def test_work_of_a_customer_that_does_not_exist_is_stopped_by_what_is_the_organizations(
    vendor: Api, budget: Make, turns: Make
) -> None:
    def may_work(customer: str) -> bool:
        now, organization_id = system_clock(), vendor.organization.pk
        return check_work(organization_id=organization_id, customer=customer, agent="support", now=now).allowed

    assert may_work("stranger")
    budget(2, period="total", scope="customer", customer="acme")
    turns("acme", 2)
    evaluate(system_clock())
    assert (may_work("acme"), may_work("stranger")) == (False, True)
    budget(2, period="total")
    assert not may_work("stranger")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"customer": "nobody"}, 404, "customer_not_found"),
        ({"feature": "no"}, 404, "feature_not_found"),
        ({"meter": "no"}, 404, "meter_not_found"),
        ({"meter": "turns", "feature": "f"}, 422, "feature_or_meter"),
        ({"customer": None}, 422, "invalid"),
        ({"quantity": "-1"}, 422, "invalid"),
        ({"lifetime_seconds": 0}, 422, "invalid"),
        ({"lifetime_seconds": 86401}, 422, "invalid"),
        ({"dimensions": {"model": ["x"]}}, 422, "invalid"),
        ({"feature": "a\x00b"}, 422, "invalid"),
        ({"sound": "loud"}, 422, "invalid"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(vendor: Api, body: dict[str, Any], status: int, code: str) -> None:
    answer = vendor.post("entitlements/check", {"customer": "acme"} | body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


@pytest.mark.parametrize(("scope", "status"), [("ingest", 200), ("write", 200), ("admin", 200), ("read", 403)])
def test_the_keys_of_agents_may_ask(vendor: Api, scope: str, status: int) -> None:
    _, secret = create_api_key(organization=vendor.organization, scopes=[scope])
    agent = Api(vendor.organization, Client(headers={"authorization": f"Bearer {secret}"}))
    assert agent.post("entitlements/check", {"customer": "acme"}).status_code == status


def test_a_customers_key_asks_for_that_customer_and_hears_of_no_other_limit(
    vendor: Api, budget: Make, turns: Make
) -> None:
    _, secret = create_api_key(organization=vendor.organization, scopes=["ingest"], customer="acme")
    own = Api(vendor.organization, Client(headers={"authorization": f"Bearer {secret}"}))
    budget(10, period="total", scope="customer", customer="acme", key="mine")
    budget(4, period="total", key="everybodys")
    assert own.post("entitlements/check", {"meter": "turns"}).json()["remaining"] == "10"
    refused = own.post("entitlements/check", {"customer": "acme", "meter": "turns", "quantity": "5"}).json()
    assert (refused["reason"], refused["budget"], "everybodys" in refused["detail"]) == ("limit_reached", None, False)
    assert own.post("entitlements/check", {"customer": "brock"}).json()["code"] == "customer_key_refused"
    reserved = vendor.post("entitlements/check", {"customer": "brock", "meter": "turns", "reserve": True}).json()
    for path in ("", "/commit", "/release"):
        address = f"reservations/{reserved['reservation']['id']}{path}"
        answer = own.post(address, {}) if path else own.get(address)
        assert answer.status_code in (403, 404), answer.content


def test_another_organizations_customer_is_not_found(vendor: Api) -> None:
    other = make_api("Other")
    assert other.post("entitlements/check", {"customer": "acme"}).json()["code"] == "customer_not_found"


def test_a_question_is_one_statement_once_the_rules_are_known(
    vendor: Api, ask: Ask, budget: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in (facts._kept, features._kept, rules._kept):
        monkeypatch.setattr(kept, "seconds", 60.0)
    for _ in range(3):
        budget(10, period="total")
    evaluate(system_clock())
    ask(meter="turns")
    for reserve in (False, True):
        statements: list[str] = []

        def noted(execute: Any, sql: str, *rest: Any, seen: list[str] = statements) -> Any:
            seen.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(noted):
            ask(meter="turns", reserve=reserve)
        assert ["accounts_apikey" in one for one in statements] == [True, False]


def test_a_question_sent_twice_with_its_key_reserves_once(vendor: Api, budget: Make) -> None:
    one = budget(10, period="total")
    body = {"customer": "acme", "meter": "turns", "quantity": "4", "reserve": True}
    first = vendor.post("entitlements/check", body, **{"idempotency-key": "k"}).json()
    again = vendor.post("entitlements/check", body, **{"idempotency-key": "k"}).json()
    assert first["reservation"] == again["reservation"]
    assert budget_total(one).held == 4


def test_a_total_of_a_plans_limit_is_made_once(vendor: Api, ask: Ask, subscribe: Make) -> None:
    vendor.post("features", {"key": "work", "meter": "turns"})
    entitle(vendor, "activity", {"feature": "work", "limit": "5"})
    subscribe("acme", "activity")
    for _ in range(3):
        assert ask(feature="work")["allowed"] is True
    assert RunningTotal.objects.filter(budget=None).count() == 1


texts = st.sampled_from(["acme", " acme", "a b", "", "a\x00", "\u00e9", "x" * 256]) | st.text(max_size=3)
numbers = st.sampled_from(["1", "0", "-1", "1.5", "1e3", "NaN", " 1", "1." + "0" * 13, "9" * 19, "\u0661", 1, 1.5])
bodies = st.fixed_dictionaries(
    {"customer": texts},
    optional={
        "feature": texts | st.none(),
        "meter": texts | st.none(),
        "agent": texts | st.none(),
        "quantity": numbers | st.none(),
        "amount": numbers | st.none(),
        "cost": numbers | st.none(),
        "dimensions": st.dictionaries(texts, texts, max_size=2),
        "reserve": st.booleans() | st.sampled_from(["yes", 1, None]),
        "lifetime_seconds": st.integers(-1, 90_000) | st.none() | st.just("5"),
        "more": st.none(),
    },
)


@settings(max_examples=examples(100, thorough=2000))
@given(bodies)
def test_the_short_way_of_a_question_means_the_same_as_the_long_one(body: dict[str, Any]) -> None:
    text = json.dumps(body).encode()
    short = read_ask(text)
    if short is None:
        return
    said = CheckInput(data=decode_json(text))
    assert said.is_valid(), said.errors
    fields = dict(said.validated_data)
    lifetime = timedelta(seconds=fields.pop("lifetime_seconds"))
    assert short == Contract(**fields, lifetime=lifetime)
