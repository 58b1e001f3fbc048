"""Budgets, features and entitlements over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from budgets.models import Budget
from tests.api import Api, make_api
from tests.budgets.conftest import evaluate

pytestmark = pytest.mark.django_db

Make = Callable[..., Any]

SPEND = {
    "key": "acme-spend",
    "name": "Acme's money",
    "scope": "customer",
    "customer": "acme",
    "measure": {"money": "spend"},
    "amount": "100.00",
    "period": "billing_period",
    "thresholds": [
        {"percent": "100", "actions": ["stop"]},
        {"percent": "80", "actions": ["mail", "webhook"], "recipients": ["ops@vendor.example"]},
    ],
}
TURNS = {
    "key": "turns",
    "measure": {"meter": "turns"},
    "amount": "10",
    "period": "total",
    "thresholds": [{"percent": "80", "actions": ["webhook"]}],
}


def made(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("budgets", body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_a_budget_is_made_read_changed_and_removed(vendor: Api) -> None:
    one = made(vendor, SPEND)
    assert {name: one[name] for name in ("key", "scope", "customer", "agent", "plan", "amount", "currency")} == {
        "key": "acme-spend",
        "scope": "customer",
        "customer": "acme",
        "agent": None,
        "plan": None,
        "amount": "100",
        "currency": "USD",
    }
    assert [(row["percent"], row["actions"]) for row in one["thresholds"]] == [
        ("80", ["mail", "webhook"]),
        ("100", ["stop"]),
    ]
    assert vendor.get("budgets/acme-spend").json() == vendor.get(f"budgets/{one['id']}").json() == one
    assert [row["key"] for row in vendor.get("budgets").json()["data"]] == ["acme-spend"]
    changed = vendor.patch("budgets/acme-spend", {"amount": "250", "name": "More"}).json()
    assert (changed["amount"], changed["name"], changed["state"]["stops_at"]) == ("250", "More", "250")
    assert vendor.client.delete("/api/v1/budgets/acme-spend").status_code == 204
    assert vendor.get("budgets/acme-spend").json()["code"] == "budget_not_found"
    assert vendor.get("budgets").json()["data"] == []
    made(vendor, SPEND)


def test_the_state_says_how_far_it_has_come(vendor: Api, turns: Make) -> None:
    made(vendor, TURNS)
    turns("acme", 9)
    evaluate()
    state = vendor.get("budgets/turns").json()["state"]
    assert state.pop("evaluated_at") is not None
    assert state == {
        "period_start": "1970-01-01T00:00:00Z",
        "period_end": "3000-01-01T00:00:00Z",
        "used": "9",
        "held": "0",
        "remaining": "1",
        "percent": "90",
        "stops_at": None,
        "is_stopped": False,
    }
    [crossing] = vendor.get("budgets/turns/crossings").json()["data"]
    assert (crossing["percent"], crossing["used"], crossing["meter"]) == ("80", "9", "turns")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": "0"}, "amount_invalid"),
        ({"measure": {"meter": "no"}}, "meter_not_found"),
        ({"measure": {"meter": ["turns"]}}, "meter_not_found"),
        ({"measure": {"money": "gold"}}, "measure_invalid"),
        ({"measure": {"meter": "turns", "filter": {"model": "x"}}}, "dimension_unknown"),
        ({"measure": {"meter": "turns", "filter": {"agent": 1}}}, "filter_invalid"),
        ({"measure": {"money": "spend"}, "period": "week"}, "period_unsupported"),
        ({"period": "billing_period"}, "period_invalid"),
        ({"scope": "customer"}, "customer_missing"),
        ({"customer": "acme"}, "customer_not_allowed"),
        ({"scope": "customer", "customer": "nobody"}, "customer_not_found"),
        ({"scope": "agent", "agent": "a", "measure": {"meter": "decisions"}}, "dimension_unknown"),
        ({"currency": "USD"}, "currency_not_allowed"),
        ({"thresholds": []}, "budget_thresholds_invalid"),
        ({"thresholds": [{"percent": "0", "actions": ["stop"]}]}, "budget_thresholds_invalid"),
        ({"thresholds": [{"percent": 80.5, "actions": ["fly"]}]}, "budget_thresholds_invalid"),
        ({"thresholds": [{"percent": "5", "actions": ["mail"], "recipients": ["x"]}]}, "budget_thresholds_invalid"),
        ({"sound": "loud"}, "invalid"),
        ({"timezone": "Mars"}, "invalid"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(vendor: Api, change: dict[str, Any], code: str) -> None:
    answer = vendor.post("budgets", TURNS | change)
    assert answer.status_code in (404, 422), answer.content
    assert answer.json()["code"] == code
    assert Budget.objects.count() == 0


def test_a_key_is_used_once_and_a_request_with_its_key_too(vendor: Api) -> None:
    body = TURNS | {"key": "once"}
    first = vendor.post("budgets", body, **{"idempotency-key": "a"})
    again = vendor.post("budgets", body, **{"idempotency-key": "a"})
    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert vendor.post("budgets", body).json()["code"] == "budget_exists"


def test_lists_are_filtered_and_take_a_bounded_number_of_queries(vendor: Api) -> None:
    for number in range(3):
        made(vendor, TURNS | {"key": f"b{number}"})
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert len(vendor.get("budgets").json()["data"]) == 3
    for number in range(3, 9):
        made(vendor, TURNS | {"key": f"b{number}", "scope": "customer", "customer": "acme"})
    with CaptureQueriesContext(connection) as many:
        assert len(vendor.get("budgets").json()["data"]) == 9
    assert len(many) == len(few)
    assert len(vendor.get("budgets", customer="acme").json()["data"]) == 6
    assert len(vendor.get("budgets", scope="organization").json()["data"]) == 3
    assert vendor.get("budgets", scope="moon").json()["code"] == "scope_invalid"
    assert vendor.get("budgets", plan="none").json()["code"] == "plan_not_found"


def test_another_organizations_are_not_found(vendor: Api) -> None:
    made(vendor, TURNS)
    vendor.post("features", {"key": "search"})
    other = make_api("Other")
    for path in ("budgets/turns", "budgets/turns/crossings", "features/search", "plans/seats/versions/1/entitlements"):
        assert other.get(path).status_code == 404, path


def test_features_are_in_plans_with_or_without_a_limit(vendor: Api) -> None:
    assert vendor.post("features", {"key": "search", "name": "Search"}).status_code == 201
    assert vendor.post("features", {"key": "work", "meter": "turns"}).json()["meter"] == "turns"
    assert vendor.post("features", {"key": "work"}).json()["code"] == "feature_exists"
    assert vendor.patch("features/work", {"name": "Work"}).json()["name"] == "Work"
    path = "/api/v1/plans/activity/versions/1/entitlements"
    body = {"entitlements": [{"feature": "search"}, {"feature": "work", "limit": "100", "hard": False}]}
    answer = vendor.client.put(path, body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert vendor.get("plans/activity/versions/1/entitlements").json() == {
        "plan": "activity",
        "version": 1,
        "entitlements": [
            {"feature": "search", "meter": None, "limit": None, "hard": True, "period": "billing_period"},
            {"feature": "work", "meter": "turns", "limit": "100", "hard": False, "period": "billing_period"},
        ],
    }
    assert vendor.client.delete("/api/v1/features/work").json()["code"] == "feature_in_use"
    vendor.client.put(path, {"entitlements": []}, content_type="application/json")
    assert vendor.client.delete("/api/v1/features/work").status_code == 204
    assert vendor.get("plans/activity/versions/2/entitlements").json()["code"] == "plan_version_not_found"


def test_entitlements_that_make_no_sense_are_refused_with_pointers(vendor: Api) -> None:
    vendor.post("features", {"key": "search"})
    body = {"entitlements": [{"feature": "search", "limit": "1"}, {"feature": "no"}, {"feature": "search"}]}
    path = "/api/v1/plans/activity/versions/1/entitlements"
    answer = vendor.client.put(path, body, content_type="application/json").json()
    assert answer["code"] == "entitlements_invalid"
    assert [(one["pointer"], one["code"]) for one in answer["errors"]] == [
        ("/entitlements/0/limit", "limit_not_allowed"),
        ("/entitlements/1/feature", "feature_not_found"),
        ("/entitlements/2/feature", "feature_repeated"),
    ]


def test_a_feature_needs_a_meter_that_adds_up(vendor: Api) -> None:
    vendor.meter("longest", event_type="agent.turn", aggregation="max", value="data.n")
    assert vendor.post("features", {"key": "f", "meter": "longest"}).json()["code"] == "meter_unsuitable"
    body = TURNS | {"measure": {"meter": "longest"}}
    assert vendor.post("budgets", body).json()["code"] == "meter_unsuitable"


def test_who_changed_what_is_written_down(vendor: Api) -> None:
    made(vendor, TURNS)
    vendor.patch("budgets/turns", {"amount": "20"})
    vendor.patch("budgets/turns", {"amount": "20"})
    vendor.client.delete("/api/v1/budgets/turns")
    rows = AuditEntry.objects.filter(action__startswith="budget.").order_by("id")
    assert [(row.action, row.target) for row in rows] == [
        ("budget.create", "turns"),
        ("budget.update", "turns"),
        ("budget.remove", "turns"),
    ]
    assert (rows[1].detail["before"], rows[1].detail["after"]) == ({"amount": "10"}, {"amount": "20"})
