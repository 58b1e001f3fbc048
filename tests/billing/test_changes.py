"""Seats and plans changed in the middle of a period, against literals worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from billing.facade import (
    add_add_on,
    cancel_subscription,
    change_plan,
    change_seats,
    get_plan,
    get_subscription,
    newest_version,
    pause_subscription,
    remove_add_on,
    resume_subscription,
)
from billing.invariants import check_all
from tests.api import Api
from tests.billing.test_billing_periods import close_months, fee, plan, usage

Make = Callable[..., Any]


def seats(amount: str = "31", **changes: Any) -> dict[str, Any]:
    return {"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": amount}} | changes


def reseat(vendor: Api, subscription: str, number: int, when: str, now: datetime) -> None:
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    change_seats(subscription=found, seats=number, when=when, now=now)


def replan(vendor: Api, subscription: str, key: str, when: str, now: datetime) -> None:
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    version = newest_version(get_plan(organization_id=vendor.organization.pk, plan=key))
    change_plan(subscription=found, version=version, when=when, now=now)


def pause(vendor: Api, subscription: str, now: datetime, resumed: datetime) -> None:
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    pause_subscription(subscription=found, now=now)
    resume_subscription(subscription=found, now=resumed)


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


def test_seats_given_up_in_a_period_paid_in_advance_are_given_back(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats(bill="in_advance"))
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    reseat(vendor, subscription, 4, "now", datetime(2026, 10, 22, tzinfo=UTC))
    # One seat less for 10 of 31 days, and November with four
    assert [lines(i) for i in close_months(vendor, "2026-10", "2026-10")] == [
        [("seats", "5", "2026-10-01", "155.00")],
        [("seats", "-1", "2026-10-22", "-10.00"), ("seats", "4", "2026-11-01", "124.00")],
    ]


def test_a_plan_changed_today_charges_today_to_the_new_plan(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, fee("31.00"), usage("1"))
    vendor.post("plans", {"key": "q", "currency": "USD", "prices": [fee("62.00"), usage("2")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    replan(vendor, subscription, "q", "now", datetime(2026, 10, 21, 17, tzinfo=UTC))
    send("acme", "agent.turn", 3, name="old", day="2026-10-21T16:59:59Z")
    send("acme", "agent.turn", 4, name="new", day="2026-10-21T17:00:00Z")
    [october, november] = close_months(vendor, "2026-10", "2026-11")
    # 20 of 31 days at $31 and 3 turns at $1; 11 of 31 days at $62 and 4 turns at $2
    assert lines(october) == [
        ("fee", "1", "2026-10-01", "20.00"),
        ("u", "3", "2026-10-01", "3.00"),
        ("fee", "1", "2026-10-21", "22.00"),
        ("u", "4", "2026-10-21", "8.00"),
    ]
    assert lines(november) == [("fee", "1", "2026-11-01", "62.00"), ("u", "0", "2026-11-01", "0.00")]


def test_a_plan_paid_in_advance_is_given_back_by_its_unused_days(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00", bill="in_advance"))
    vendor.post("plans", {"key": "q", "currency": "USD", "prices": [fee("62.00", bill="in_advance")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    replan(vendor, subscription, "q", "now", datetime(2026, 10, 31, 9, tzinfo=UTC))  # the day before renewal
    opening, october = close_months(vendor, "2026-10", "2026-10")
    assert lines(opening) == [("fee", "1", "2026-10-01", "31.00")]
    assert lines(october) == [
        ("fee", "-1", "2026-10-31", "-1.00"),
        ("fee", "1", "2026-10-31", "2.00"),
        ("fee", "1", "2026-11-01", "62.00"),
    ]


def test_another_interval_begins_a_period_of_its_own(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00"))
    yearly = {"key": "y", "currency": "USD", "interval": "year", "prices": [fee("365.00", bill="in_advance")]}
    vendor.post("plans", yearly)
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", anchor="anniversary")
    replan(vendor, subscription, "y", "now", datetime(2026, 10, 21, 17, tzinfo=UTC))
    invoices = close_months(vendor, "2026-10", "2027-10")
    assert [(i["kind"], i["period_start"][:10], i["period_end"][:10], i["total"]) for i in invoices] == [
        ("cycle", "2026-10-01", "2026-10-21", "20.00"),
        ("opening", "2026-10-21", "2027-10-21", "365.00"),
        ("cycle", "2026-10-21", "2027-10-21", "365.00"),
    ]


def test_a_plan_changed_at_the_end_of_the_period_keeps_its_subscription(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00", bill="in_advance"))
    vendor.post("plans", {"key": "q", "currency": "USD", "prices": [fee("60.00")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    changed = vendor.post(f"subscriptions/{subscription}/change", {"plan": "q", "when": "period_end"}).json()
    assert (changed["id"], changed["plan"]) == (subscription, "p")
    assert [change["plan"] for change in changed["plan_changes"]] == ["q"]
    # The last change of mind counts
    again = vendor.post(f"subscriptions/{subscription}/change", {"plan": "p", "when": "period_end"}).json()
    assert [change["plan"] for change in again["plan_changes"]] == ["p"]


def test_days_between_pause_and_resumption_cost_nothing(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, fee("31.00"), usage("1"), fee("9.00", key="flat", prorate=False))
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    pause(vendor, subscription, datetime(2026, 10, 10, 12, tzinfo=UTC), datetime(2026, 10, 22, 9, tzinfo=UTC))
    send("acme", "agent.turn", 2, name="before", day="2026-10-10T11:59:59Z")
    send("acme", "agent.turn", 5, name="paused", day="2026-10-10T12:00:00Z")
    send("acme", "agent.turn", 6, name="still", day="2026-10-22T08:59:59Z")
    send("acme", "agent.turn", 3, name="after", day="2026-10-22T09:00:00Z")
    [october] = close_months(vendor, "2026-10", "2026-10")
    # 10 and 10 of 31 days; what is not prorated is charged once, half of it with each span
    assert lines(october) == [
        ("fee", "1", "2026-10-01", "10.00"),
        ("fee", "1", "2026-10-22", "10.00"),
        ("u", "2", "2026-10-01", "2.00"),
        ("u", "3", "2026-10-22", "3.00"),
        ("flat", "1", "2026-10-01", "4.50"),
        ("flat", "1", "2026-10-22", "4.50"),
    ]


def test_months_paused_as_a_whole_have_no_invoice_and_fees_in_advance_wait(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00", bill="in_advance"))
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    pause(vendor, subscription, datetime(2026, 10, 21, tzinfo=UTC), datetime(2027, 1, 22, tzinfo=UTC))
    invoices = close_months(vendor, "2026-10", "2027-02")
    assert [(i["kind"], i["period_start"][:10], lines(i)) for i in invoices] == [
        ("opening", "2026-10-01", [("fee", "1", "2026-10-01", "31.00")]),
        ("cycle", "2026-10-01", [("fee", "-1", "2026-10-22", "-10.00")]),  # 10 of 31 days given back
        # 10 of January's 31 days, and February
        ("cycle", "2027-01-22", [("fee", "1", "2027-01-22", "10.00"), ("fee", "1", "2027-02-01", "31.00")]),
        ("cycle", "2027-02-01", [("fee", "1", "2027-03-01", "31.00")]),
    ]


def test_an_add_on_is_charged_for_its_days(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00"))
    vendor.post("plans", {"key": "gpu", "currency": "USD", "add_on": True, "prices": [seats("3.10")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    version = newest_version(get_plan(organization_id=vendor.organization.pk, plan="gpu"))
    for quantity, day in ((2, 12), (4, 22)):
        now = datetime(2026, 10, day, 9, tzinfo=UTC)
        add_add_on(subscription=found, version=version, quantity=quantity, now=now)
    remove_add_on(subscription=found, add_on="gpu", when="now", now=datetime(2026, 10, 26, tzinfo=UTC))
    [october] = close_months(vendor, "2026-10", "2026-10")
    # 2 x 3.10 x 10/31 and 4 x 3.10 x 5/31
    assert lines(october) == [
        ("fee", "1", "2026-10-01", "31.00"),
        ("seats", "2", "2026-10-12", "2.00"),
        ("seats", "4", "2026-10-22", "2.00"),
    ]


def test_changes_are_refused_with_a_reason(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("31.00"))
    vendor.post("plans", {"key": "gpu", "currency": "USD", "add_on": True, "interval": "year", "prices": [seats()]})
    vendor.post("plans", {"key": "euro", "currency": "EUR", "prices": [fee("1")]})
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z")
    path = f"subscriptions/{subscription}"
    for action, body, code in [
        ("resume", {}, "not_paused"),
        ("change", {"plan": "euro"}, "currency_mismatch"),
        ("add_ons", {"plan": "p"}, "not_an_add_on"),
        ("add_ons", {"plan": "gpu"}, "interval_mismatch"),
        ("add_ons/gpu/remove", {}, "add_on_not_found"),
    ]:
        assert vendor.post(f"{path}/{action}", body).json()["code"] == code
    assert vendor.post(f"{path}/pause", {}).json()["status"] == "paused"
    assert vendor.post(f"{path}/pause", {}).json()["status"] == "paused"
    assert vendor.post(f"{path}/resume", {}).json()["status"] == "active"
    assert vendor.post(f"{path}/cancel", {"when": "now"}).status_code == 200
    assert vendor.post(f"{path}/cancel", {"when": "period_end"}).json()["code"] == "already_cancelled"
    assert vendor.post(f"{path}/change", {"seats": 3}).json()["code"] == "subscription_not_running"


def test_seats_are_changed_through_the_api(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats())
    subscription = subscribe("acme", "p", "2026-10-01T00:00:00Z", seats=5)
    changed = vendor.post(f"subscriptions/{subscription}/change", {"seats": 6}).json()
    assert (changed["seats"], [change["seats"] for change in changed["seat_changes"]]) == (6, [6])
    for body in ({}, {"seats": -1}, {"seats": 0}, {"when": "later", "seats": 1}):
        assert vendor.post(f"subscriptions/{subscription}/change", body).status_code == 422


def test_a_subscription_cancelled_before_it_begins_never_does(vendor: Api, subscribe: Make) -> None:
    plan(vendor, seats(bill="in_advance"), fee("10"), usage())
    subscription = subscribe("acme", "p", "2026-12-05T10:00:00Z", seats=5)
    with_clock = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    cancel_subscription(
        subscription=with_clock, ends_at=datetime(2026, 12, 5, 9, tzinfo=UTC), now=datetime(2026, 12, 5, 9, tzinfo=UTC)
    )
    ended = vendor.get(f"subscriptions/{subscription}").json()
    assert (ended["status"], ended["ends_at"]) == ("ended", "2026-12-04T23:59:59.999999Z")
    assert close_months(vendor, "2026-12", "2027-01") == []
    assert [broken for _, found in check_all(vendor.organization.pk) for broken in found] == []


def test_a_subscription_that_is_to_begin_is_scheduled(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("10"))
    assert vendor.get(f"subscriptions/{subscribe('acme', 'p', '2999-01-01T00:00:00Z')}").json()["status"] == "scheduled"
