"""Plans that get new versions, subscriptions that move to them, and customers with prices of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kernel.clock import system_clock
from kernel.period import Month
from tests.api import Api
from tests.billing.test_billing_periods import close_months, fee, plan, usage
from tests.billing.test_changes import lines

Make = Callable[..., Any]


@pytest.fixture
def two_versions(vendor: Api, subscribe: Make) -> Api:
    """Plan `p` at 31.00 and 1.00 a turn, with acme and globex on it, and its second version at 62.00 and 0.50."""
    plan(vendor, fee("31.00"), usage("1"))
    for customer in ("acme", "globex"):
        subscribe(customer, "p", "2026-10-01T00:00:00Z")
    second = {"prices": [fee("62.00"), usage("0.50")]}
    assert vendor.post("plans/p/versions", second).json()["version"] == 2
    return vendor


def subscriptions(vendor: Api) -> list[dict[str, Any]]:
    return vendor.get("subscriptions").json()["data"]


def test_a_preview_of_a_migration_says_who_pays_what_and_moves_nobody(two_versions: Api) -> None:
    answer = two_versions.post("plans/p/migrations", {"preview": True, "when": "now"}).json()
    assert (answer["to_version"], answer["moved"]) == (2, 0)
    shown = [(one["customer"], one["current"], one["new"], one["difference"]) for one in answer["subscriptions"]]
    assert shown == [("acme", "31.00", "62.00", "31.00"), ("globex", "31.00", "62.00", "31.00")]
    assert [one["plan_version"] for one in subscriptions(two_versions)] == [1, 1]


def test_a_migration_moves_every_running_subscription_once(two_versions: Api, subscribe: Make) -> None:
    assert two_versions.post("plans/p/migrations", {"when": "now"}).json()["moved"] == 2
    assert [one["plan_version"] for one in subscriptions(two_versions)] == [2, 2]
    assert two_versions.post("plans/p/migrations", {"when": "now"}).json()["moved"] == 0
    assert two_versions.post("plans/p/migrations", {"to_version": 7}).json()["code"] == "plan_version_not_found"
    later = two_versions.post("plans/p/migrations", {"to_version": 1, "when": "period_end"}).json()
    assert later["moved"] == 2
    assert [one["plan_version"] for one in subscriptions(two_versions)] == [2, 2]
    assert [one["plan_changes"][-1]["plan_version"] for one in subscriptions(two_versions)] == [1, 1]


def test_a_customers_own_prices_count_from_the_day_they_are_agreed(vendor: Api, subscribe: Make, send: Make) -> None:
    present = Month.of(system_clock(), ZoneInfo("UTC"))
    following = present.next()
    plan(vendor, fee("31.00"), usage("1"), minimum_commitment="1")
    subscription = subscribe("acme", "p", f"{present}-01T00:00:00Z")
    own = {"prices": [{"key": "u", "model": {"type": "per_unit", "unit_amount": "0.25"}, "included": "2"}]}
    changed = vendor.post(f"subscriptions/{subscription}/overrides", own).json()
    assert (changed["plan"], changed["plan_version"], changed["overridden_prices"]) == ("p", 1, ["u"])
    assert vendor.get("plans/p").json()["version"] == 1
    assert len(vendor.get("plans/p").json()["versions"]) == 1
    again = {"prices": [{"key": "fee", "model": {"type": "flat", "amount": "15.50"}}]}
    assert vendor.post(f"subscriptions/{subscription}/overrides", again).json()["overridden_prices"] == ["fee", "u"]
    send("acme", "agent.turn", 10, day=f"{following}-03T10:00:00Z")
    _, invoice = close_months(vendor, str(present), str(following))
    first = f"{following}-01"
    assert lines(invoice) == [("fee", "1", first, "15.50"), ("u", "10", first, "2.00")]
    # Another version of the plan leaves a customer with own prices alone; another plan ends them
    vendor.post("plans/p/versions", {"prices": [fee("1")]})
    assert vendor.post("plans/p/migrations", {"when": "now"}).json()["moved"] == 0
    back = vendor.post(f"subscriptions/{subscription}/change", {"plan": "p", "when": "now"}).json()
    assert (back["plan_version"], back["overridden_prices"]) == (2, [])


def test_overrides_that_cannot_be_are_refused_with_pointers(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00"), usage("1"))
    subscription = subscribe("acme", "p", "2026-11-01T00:00:00Z")
    body = {"prices": [{"key": "nothing"}, {"key": "u", "model": {"type": "per_unit", "unit_amount": "-1"}}]}
    answer = vendor.post(f"subscriptions/{subscription}/overrides", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/prices/0/key", "/prices/1/model/unit_amount"]
    assert vendor.get(f"subscriptions/{subscription}").json()["plan_changes"] == []


def test_tax_is_by_line_and_none_where_the_customer_is_exempt_or_owes_it(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("100.00"), fee("10.00", key="books", tax_rate="0.07"), fee("5.00", key="none", tax_rate="0"))
    for customer, treatment in (("acme", "standard"), ("school", "exempt"), ("abroad", "reverse_charge")):
        vendor.customer(customer, tax_rate="0.19", tax_treatment=treatment)
        subscribe(customer, "p", "2026-10-01T00:00:00Z")
    found = {one["customer"]: one for one in close_months(vendor, "2026-10", "2026-10")}
    acme = found["acme"]
    assert [(line["tax_rate"], line["tax"]) for line in acme["lines"]] == [
        ("0.19", "19.00"),
        ("0.07", "0.70"),
        ("0", "0.00"),
    ]
    assert (acme["tax"], acme["total"]) == ("19.70", "134.70")
    for customer, treatment in (("school", "exempt"), ("abroad", "reverse_charge")):
        one = found[customer]
        assert (one["tax_treatment"], one["tax"], one["total"]) == (treatment, "0.00", "115.00")


@pytest.mark.django_db(transaction=True)
def test_outcomes_are_priced_apart_counted_once_and_given_back_when_reversed(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    vendor.meter(
        "outcomes",
        event_type="agent.task",
        aggregation="unique_count",
        value="data.task_id",
        dimensions={"outcome": "data.outcome"},
    )
    cells = [{"where": {"outcome": "succeeded"}, "unit_amount": "0.99"}]
    cells += [{"where": {"outcome": "failed"}, "unit_amount": "0.10"}]
    model = {"type": "matrix", "dimensions": ["outcome"], "cells": cells, "default_unit_amount": "0"}
    plan(vendor, {"key": "outcome", "kind": "usage", "meter": "outcomes", "model": model})
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    day = "2026-09-30T23:00:00Z"
    send("acme", "agent.task", 3, name="good", day=day, outcome="succeeded")
    send("acme", "agent.task", 2, name="bad", day=day, outcome="failed")
    send("acme", "agent.task", 4, name="up", day=day, outcome="escalated")
    [september] = close_months(vendor, "2026-09", "2026-09")
    assert (september["lines"][0]["quantity"], september["total"]) == ("9", "3.17")  # 3 x 0.99 + 2 x 0.10
    # The customer came back: a task that was charged as a success failed after all
    event = {
        "specversion": "1.0", "id": "acme-agent.task-good-0-reversed", "source": "test", "type": "agent.task",
        "subject": "acme", "time": day, "data": {"task_id": "good-0", "outcome": "failed"},
    }  # fmt: skip
    amended = {"source": "test", "id": "acme-agent.task-good-0", "reason": "customer came back", "event": event}
    assert vendor.post("events/amend", amended).status_code == 200
    _, october = close_months(vendor, "2026-10", "2026-10")
    found = [(line["role"], line["quantity"], line["amount"]) for line in october["lines"]]
    assert found == [("charge", "0", "0.00"), ("adjustment", "0", "-0.89")]  # 0.10 instead of 0.99
