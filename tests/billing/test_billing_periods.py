"""Intervals, anchors, trials, fees in advance and commitments: invoices compared with literals worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from billing.facade import cancel_subscription, get_subscription
from kernel.period import Month
from tests.api import Api
from tests.billing.test_closing_a_month import close

Make = Callable[..., Any]
FAR = datetime(2030, 1, 1, tzinfo=UTC)


def fee(amount: str, **changes: Any) -> dict[str, Any]:
    return {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": amount}} | changes


def usage(amount: str = "1", **changes: Any) -> dict[str, Any]:
    model = {"type": "per_unit", "unit_amount": amount}
    return {"key": "u", "kind": "usage", "meter": "turns", "model": model} | changes


def plan(vendor: Api, *prices: dict[str, Any], **fields: Any) -> None:
    answer = vendor.post("plans", {"key": "p", "currency": "USD", "prices": list(prices)} | fields)
    assert answer.status_code == 201, answer.content


def close_months(vendor: Api, first: str, last: str, now: datetime = FAR) -> list[dict[str, Any]]:
    """Closes every month from `first` to `last`; all invoices, by number."""
    month = Month.parse(first)
    while month <= Month.parse(last):
        assert close(vendor, month, now).status == "succeeded"
        month = month.next()
    found = vendor.get("invoices", limit="1000").json()["data"]
    return sorted(found, key=lambda invoice: invoice["number"])


def brief(invoice: dict[str, Any]) -> tuple[str, str, str]:
    return invoice["kind"], invoice["period_start"][:10], invoice["total"]


def end(vendor: Api, subscription: str, at: datetime) -> None:
    found = get_subscription(organization_id=vendor.organization.pk, subscription=subscription)
    cancel_subscription(subscription=found, ends_at=at, now=at)


def test_a_quarter_in_arrears_is_charged_by_its_days(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("910.00"), interval="quarter")
    subscription = subscribe("acme", "p", "2024-05-20T00:00:00Z")
    end(vendor, subscription, datetime(2024, 6, 20, tzinfo=UTC))
    # 20 May to 20 June are 32 of the 91 days of the second quarter: 910 x 32/91
    assert [brief(i) for i in close_months(vendor, "2024-04", "2024-09")] == [("cycle", "2024-05-20", "320.00")]


def test_what_is_missing_to_a_commitment_is_charged(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, fee("100.00"), usage(), minimum_commitment="10000.00")
    subscribe("acme", "p", "2024-02-28T00:00:00Z")
    send("acme", "agent.turn", 30, day="2024-02-29T12:00:00Z")
    [invoice] = close_months(vendor, "2024-02", "2024-02")
    # 2 of 29 days: a fee of 6.90 and a commitment of 689.66; 689.66 - 6.90 - 30.00 = 652.76
    assert [(line["price"], line["amount"]) for line in invoice["lines"]] == [
        ("fee", "6.90"),
        ("u", "30.00"),
        ("minimum_commitment", "652.76"),
    ]
    assert invoice["total"] == "689.66"
    assert vendor.get("plans/p").json()["minimum_commitment"] == "10000"


def test_usage_beyond_a_commitment_needs_no_true_up(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("10"), minimum_commitment="50")
    subscribe("acme", "p", "2026-10-01T00:00:00Z")
    send("acme", "agent.turn", 5)
    [invoice] = close_months(vendor, "2026-10", "2026-10")
    assert [line["amount"] for line in invoice["lines"]] == ["50.00"]


def test_fees_in_advance_are_charged_when_a_subscription_begins_and_with_each_period(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    plan(vendor, fee("31.00", bill="in_advance"), usage())
    subscription = subscribe("acme", "p", "2026-10-17T00:00:00Z")
    end(vendor, subscription, datetime(2026, 12, 10, 12, tzinfo=UTC))
    send("acme", "agent.turn", 4, day="2026-10-20T10:00:00Z")
    invoices = close_months(vendor, "2026-10", "2027-01")
    assert [brief(i) for i in invoices] == [
        ("opening", "2026-10-17", "15.00"),  # 15 of 31 days of October
        ("cycle", "2026-10-17", "35.00"),  # 4 turns of October, and November's fee
        ("cycle", "2026-11-01", "10.00"),  # 10 of 31 days of December
        ("cycle", "2026-12-01", "0.00"),
    ]
    lines = [(line["price"], line["period_start"][:10], line["amount"]) for line in invoices[1]["lines"]]
    assert lines == [("fee", "2026-11-01", "31.00"), ("u", "2026-10-17", "4.00")]


def test_an_opening_invoice_is_issued_before_its_month_is_over(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("30.00", bill="in_advance"))
    subscribe("acme", "p", "2026-11-16T00:00:00Z")
    run = close(vendor, Month(2026, 11), datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert [problem["code"] for problem in run.problems] == ["period_not_over"]
    [opening] = vendor.get("invoices").json()["data"]
    assert brief(opening) == ("opening", "2026-11-16", "15.00")


def test_an_anniversary_remembers_its_day(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("100"))
    subscribe("acme", "p", "2024-01-31T09:00:00Z", anchor="anniversary")
    invoices = close_months(vendor, "2024-01", "2024-05", datetime(2024, 6, 1, tzinfo=UTC))
    assert [(i["period_start"][:10], i["period_end"][:10], i["total"]) for i in invoices] == [
        ("2024-01-31", "2024-02-29", "100.00"),
        ("2024-02-29", "2024-03-31", "100.00"),
        ("2024-03-31", "2024-04-30", "100.00"),
        ("2024-04-30", "2024-05-31", "100.00"),
    ]


def test_days_of_a_trial_cost_nothing(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, fee("31.00"), usage(), trial_days=14)
    subscribe("acme", "p", "2026-10-08T18:00:00Z")
    subscribe("globex", "p", "2026-10-08T18:00:00Z", trial_days=0)
    for customer in ("acme", "globex"):
        send(customer, "agent.turn", 5, name="trial", day="2026-10-21T23:59:59Z")
        send(customer, "agent.turn", 2, name="billed", day="2026-10-22T00:00:00Z")
    totals = {i["customer"]: i["total"] for i in close_months(vendor, "2026-10", "2026-10")}
    # acme is billed from 22 October: 10 days and 2 turns; globex from the 8th: 24 days and 7 turns
    assert totals == {"acme": "12.00", "globex": "31.00"}


def test_weeks_and_days_make_several_invoices_in_a_month(vendor: Api, subscribe: Make) -> None:
    plan(vendor, fee("7.00"), interval="week")
    subscribe("acme", "p", "2026-10-01T00:00:00Z")
    invoices = close_months(vendor, "2026-10", "2026-10")
    # Weeks begin on Monday; 1 October 2026 is a Thursday. The week of 26 October ends in November.
    assert [brief(i) for i in invoices] == [
        ("cycle", "2026-10-01", "4.00"),
        ("cycle", "2026-10-05", "7.00"),
        ("cycle", "2026-10-12", "7.00"),
        ("cycle", "2026-10-19", "7.00"),
    ]
    assert len(close_months(vendor, "2026-10", "2026-11")) == 9


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("Pacific/Kiritimati", "2026-09-30T10:00:00Z", "2026-10-31T10:00:00Z"),  # UTC+14
        ("Europe/Berlin", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),  # 25 October has 25 hours
        ("America/Sao_Paulo", "2026-10-01T03:00:00Z", "2026-11-01T03:00:00Z"),
    ],
)
def test_periods_are_those_of_the_customers_zone(vendor: Api, subscribe: Make, zone: str, start: str, end: str) -> None:
    plan(vendor, fee("31.00"))
    subscribe("acme", "p", "2026-01-01T12:00:00Z", timezone=zone)
    [invoice] = close_months(vendor, "2026-10", "2026-10")
    assert (invoice["period_start"], invoice["period_end"], invoice["total"]) == (start, end, "31.00")


def test_a_year_of_every_shape_has_no_period_twice_and_none_missing(vendor: Api, subscribe: Make) -> None:
    shapes = [
        ({"interval": interval, "interval_count": count}, anchor, bill)
        for interval, count in (("day", 10), ("week", 2), ("month", 1), ("month", 5), ("quarter", 1), ("year", 1))
        for anchor in ("calendar", "anniversary")
        for bill in ("in_advance", "in_arrears")
    ]
    for number, (interval, anchor, bill) in enumerate(shapes):
        vendor.post("plans", {"key": f"p{number}", "currency": "USD", "prices": [fee("10", bill=bill)], **interval})
        subscription = subscribe(
            f"c{number}", f"p{number}", "2024-01-31T15:00:00Z", anchor=anchor, timezone="Asia/Tokyo"
        )
        end(vendor, subscription, datetime(2025, 2, 10, tzinfo=UTC))
    invoices = close_months(vendor, "2024-01", "2026-01")
    again = close_months(vendor, "2024-01", "2026-01")
    assert again == invoices
    for number in range(len(shapes)):
        lines = [line for i in invoices if i["customer"] == f"c{number}" for line in i["lines"]]
        spans = sorted((line["period_start"], line["period_end"]) for line in lines)
        # From the first midnight in Tokyo, each where the one before ended, to the last day's end.
        assert spans[0][0] == "2024-01-31T15:00:00Z", shapes[number]
        assert spans[-1][1] == "2025-02-10T15:00:00Z", shapes[number]
        assert all(before[1] == after[0] for before, after in pairwise(spans)), shapes[number]
