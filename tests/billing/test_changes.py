"""Seats and plans changed in the middle of a period, against literals worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.facade import change_plan, change_seats, get_plan, get_subscription
from tests.api import Api
from tests.billing.test_billing_periods import close_months, fee, plan, usage

Make = Callable[..., Any]


def seats(amount: str = "31", **changes: Any) -> dict[str, Any]:
    return {"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": amount}} | changes


def reseat(vendor: Api, subscription: str, number: int, when: str, now: datetime) -> None:
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    change_seats(subscription=found, seats=number, when=when, now=now)


def lines(invoice: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(line["price"], line["quantity"], line["period_start"][:10], line["amount"]) for line in invoice["lines"]]


def test_seats_in_arrears_are_charged_by_the_days_there_were(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats())
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    reseat(vendor, subscription, 8, "now", datetime(2026, 10, 11, 15, tzinfo=UTC))
    reseat(vendor, subscription, 2, "now", datetime(2026, 10, 31, 23, tzinfo=UTC))
    [october, november] = close_months(vendor, "2026-10", "2026-11")
    # $31 a month is $1 a day in October: 5 x 10 days, 8 x 20 days, 2 x 1 day
    assert lines(october) == [
        ("seats", "5", "2026-10-01", "50.00"),
        ("seats", "8", "2026-10-11", "160.00"),
        ("seats", "2", "2026-10-31", "2.00"),
    ]
    assert lines(november) == [("seats", "2", "2026-11-01", "62.00")]


def test_seats_from_the_next_period_on_leave_this_one_alone(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats())
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    reseat(vendor, subscription, 1, "period_end", datetime(2026, 10, 11, tzinfo=UTC))
    assert [i["total"] for i in close_months(vendor, "2026-10", "2026-11")] == ["155.00", "31.00"]


def test_seats_added_to_a_period_paid_in_advance_are_charged_for_its_remaining_days(
    vendor: Api, subscribe: Make
) -> None:
    plan(vendor, seats(bill="in_advance"))
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    reseat(vendor, subscription, 7, "now", datetime(2026, 10, 22, 8, tzinfo=UTC))
    opening, october = close_months(vendor, "2026-10", "2026-10")
    assert lines(opening) == [("seats", "5", "2026-10-01", "155.00")]
    # Two more seats for 10 of 31 days, and November with seven
    assert lines(october) == [("seats", "2", "2026-10-22", "20.00"), ("seats", "7", "2026-11-01", "217.00")]


def test_seats_paid_in_advance_are_only_given_up_at_the_end_of_the_period(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats(bill="in_advance"))
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    with pytest.raises(Exception, match="paid in advance"):
        change_seats(subscription=found, seats=4, when="now", now=datetime(2026, 10, 22, tzinfo=UTC))
    reseat(vendor, subscription, 4, "period_end", datetime(2026, 10, 22, tzinfo=UTC))
    assert [lines(i) for i in close_months(vendor, "2026-10", "2026-10")] == [
        [("seats", "5", "2026-10-01", "155.00")],
        [("seats", "4", "2026-11-01", "124.00")],
    ]


def test_a_plan_changed_today_charges_today_to_the_new_plan(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, fee("31.00"), usage("1"))
    vendor.post("plans", {"key": "q", "currency": "USD", "prices": [fee("62.00"), usage("2")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    newer = get_plan(organization_id=vendor.organization.pk, plan="q")
    change_plan(subscription=found, plan=newer, when="now", now=datetime(2026, 10, 21, 17, tzinfo=UTC))
    send("acme", "agent.turn", 3, name="old", day="2026-10-20T23:59:59Z")
    send("acme", "agent.turn", 4, name="new", day="2026-10-21T00:00:00Z")
    old, new = close_months(vendor, "2026-10", "2026-10")
    # 20 of 31 days at $31 and 3 turns at $1; 11 of 31 days at $62 and 4 turns at $2
    assert lines(old) == [("fee", "1", "2026-10-01", "20.00"), ("u", "3", "2026-10-01", "3.00")]
    assert lines(new) == [("fee", "1", "2026-10-21", "22.00"), ("u", "4", "2026-10-21", "8.00")]


def test_a_plan_changed_at_the_end_of_the_period_ends_with_it(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00", bill="in_advance"))
    vendor.post("plans", {"key": "q", "currency": "USD", "prices": [fee("60.00")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    path = f"subscriptions/{subscription}/change"
    now = vendor.post(path, {"plan": "q", "when": "now"})
    assert (now.status_code, now.json()["code"]) == (409, "paid_in_advance")
    changed = vendor.post(path, {"plan": "q", "when": "period_end"})
    assert (changed.status_code, changed.json()["plan"]) == (200, "q")
    ended = vendor.get(f"subscriptions/{subscription}").json()
    assert ended["ends_at"] == changed.json()["starts_at"]
    again = vendor.post(path, {"seats": 3})
    assert (again.status_code, again.json()["code"]) == (409, "subscription_not_running")


def test_seats_are_changed_through_the_api(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats())
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    changed = vendor.post(f"subscriptions/{subscription}/change", {"seats": 6}).json()
    assert (changed["seats"], [change["seats"] for change in changed["seat_changes"]]) == (5, [6])
    for body in ({}, {"seats": -1}, {"seats": 0}, {"when": "later", "seats": 1}):
        assert vendor.post(f"subscriptions/{subscription}/change", body).status_code == 422
