"""Plans changed for others of another interval, fees in advance, against amounts worked out by hand.

Fees are chosen so that a day costs 1.00: a year is 365.00 in 2025, a month of 31 days 31.00, a week 7.00.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from billing.invariants import check_all
from billing.invoicing import bills
from billing.invoicing.bills import Bill
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.documents.valid import BUYER, documents_are_valid, name_the_seller

pytestmark = pytest.mark.django_db(transaction=True)

PER_SEAT = {"key": "seats", "kind": "seat", "bill": "in_advance"}


def seat(amount: str) -> dict[str, Any]:
    return PER_SEAT | {"model": {"type": "per_unit", "unit_amount": amount}}


#: Interval, prices and what else a plan has.
PLANS: dict[str, dict[str, Any]] = {
    "year": {"interval": "year", "prices": [fee("365", bill="in_advance")]},
    "year-arrears": {"interval": "year", "prices": [fee("365")]},
    "quarter": {"interval": "quarter", "prices": [fee("90", bill="in_advance")]},
    "month": {"interval": "month", "prices": [fee("31", bill="in_advance")]},
    "february": {"interval": "month", "prices": [fee("28", bill="in_advance")]},
    "week": {"interval": "week", "prices": [fee("7", bill="in_advance")]},
    "month-seats": {"interval": "month", "prices": [seat("31")]},
    "year-seats": {"interval": "year", "prices": [seat("365")]},
    "month-usage": {"interval": "month", "prices": [usage("1")], "invoice_threshold": "5"},
    "year-usage": {"interval": "year", "prices": [usage("2")]},
    "month-whole": {"interval": "month", "prices": [fee("9", bill="in_advance", prorate=False)]},
    "year-whole": {"interval": "year", "prices": [fee("100", bill="in_advance", prorate=False)]},
    "two-months": {"interval": "month", "interval_count": 2, "prices": [fee("59", bill="in_advance")]},
}


@dataclass(frozen=True)
class Story:
    """What happens on which day to a subscription that begins on `starts`; each invoice by the first day of its period
    and its total, in the order of their numbers."""

    plan: str
    steps: list[tuple[str, str, Any]]
    until: str
    invoices: list[tuple[str, str]]
    starts: str = "2025-01-01"
    fields: dict[str, Any] = field(default_factory=dict)
    customer: dict[str, Any] = field(default_factory=dict)


def change(plan: str, when: str = "now", **fields: Any) -> dict[str, Any]:
    return {"plan": plan, "when": when} | fields


STORIES = {
    "year_to_month_at_once": Story(
        "year",
        [("2025-01-11", "change", change("month"))],
        "2025-03-01",
        # 10 of 365 days are used; 21 days of January, February with its first part's invoice, March with February's
        [
            ("2025-01-01", "365.00"),
            ("2025-01-01", "-355.00"),
            ("2025-01-11", "21.00"),
            ("2025-01-11", "31.00"),
            ("2025-02-01", "31.00"),
        ],
    ),
    "month_to_year_at_the_period_end": Story(
        "month",
        [("2025-06-11", "change", change("year", "period_end"))],
        "2026-01-02",
        # 186.00 of six months, 184 days of 2025, and all of 2026
        [
            ("2025-01-01", "31.00"),
            *((f"2025-0{month}-01", "31.00") for month in range(1, 6)),
            ("2025-07-01", "184.00"),
            ("2025-07-01", "365.00"),
        ],
    ),
    "month_to_year_and_back_within_a_month": Story(
        "month",
        [("2025-01-11", "change", change("year")), ("2025-01-21", "change", change("month"))],
        "2025-02-01",
        # 355 days of the year are charged on 11 January, and 345 of them given back on the 21st
        [
            ("2025-01-01", "31.00"),
            ("2025-01-01", "-21.00"),
            ("2025-01-11", "355.00"),
            ("2025-01-11", "-345.00"),
            ("2025-01-21", "11.00"),
            ("2025-01-21", "31.00"),
        ],
    ),
    "year_to_quarter_to_month": Story(
        "year",
        [("2025-03-02", "change", change("quarter")), ("2025-05-10", "change", change("month", "period_end"))],
        "2025-07-31",
        # 60 days of the year; 30 of the 90 days of a quarter, the next one whole; July
        [
            ("2025-01-01", "365.00"),
            ("2025-01-01", "-305.00"),
            ("2025-03-02", "30.00"),
            ("2025-03-02", "90.00"),
            ("2025-07-01", "31.00"),
        ],
    ),
    "week_to_month_to_week_over_the_ends_of_months": Story(
        "week",
        [("2025-01-30", "change", change("february")), ("2025-02-26", "change", change("week"))],
        "2025-03-03",
        # Monday to Wednesday; 2 of 31 days at 28.00 are 1.81; 25 days of February; Wednesday to Sunday; a week
        [
            ("2025-01-27", "7.00"),
            ("2025-01-27", "-4.00"),
            ("2025-01-30", "1.81"),
            ("2025-01-30", "28.00"),
            ("2025-02-01", "-3.00"),
            ("2025-02-26", "5.00"),
            ("2025-02-26", "7.00"),
        ],
        starts="2025-01-27",
    ),
    "a_month_paid_for_when_a_year_begins_on_its_first_day": Story(
        "month",
        [("2025-02-01", "change", change("year"))],
        "2026-01-01",
        # February was charged at its first instant: the year's first invoice gives it back
        [("2025-01-01", "31.00"), ("2025-01-01", "31.00"), ("2025-02-01", "303.00"), ("2025-02-01", "365.00")],
    ),
    "a_month_paid_for_when_a_year_in_arrears_begins": Story(
        "month",
        [("2025-02-01", "change", change("year-arrears"))],
        "2026-01-01",
        [("2025-01-01", "31.00"), ("2025-01-01", "31.00"), ("2025-02-01", "-31.00"), ("2025-02-01", "334.00")],
    ),
    "seats_changed_before_and_after": Story(
        "month-seats",
        [
            ("2025-01-11", "change", {"seats": 5}),
            ("2025-01-21", "change", change("year-seats")),
            ("2025-01-31", "change", {"seats": 4}),
            ("2025-02-10", "change", change("month-seats")),
        ],
        "2025-02-10T01:00",
        # 10 days of 2 seats and 10 of 5 are 70.00; 345 days of 5, of which 10 of 5 and 10 of 4 are used; 4 of 31.00
        # for 19 of 28 days
        [
            ("2025-01-01", "62.00"),
            ("2025-01-01", "8.00"),
            ("2025-01-21", "1725.00"),
            ("2025-01-21", "-1635.00"),
            ("2025-02-10", "84.14"),
        ],
        fields={"seats": 2},
    ),
    "a_threshold_before_the_change": Story(
        "month-usage",
        [
            ("2025-01-05", "turns", 6),
            ("2025-01-06", "advance", None),
            ("2025-01-11", "change", change("year-usage")),
            ("2025-01-12", "turns", 3),
            ("2025-01-21", "change", change("month-usage")),
            ("2025-01-22", "turns", 2),
        ],
        "2025-02-01",
        # 6 turns at 1.00, invoiced before; 3 turns at 2.00; 2 turns at 1.00
        [("2025-01-01", "6.00"), ("2025-01-01", "0.00"), ("2025-01-11", "6.00"), ("2025-01-21", "2.00")],
    ),
    "after_a_trial": Story(
        "year",
        [("2025-02-01", "change", change("month"))],
        "2025-03-01",
        # From 15 January on: 351 days, of which 17 are used
        [("2025-01-15", "351.00"), ("2025-01-15", "-334.00"), ("2025-02-01", "31.00"), ("2025-02-01", "31.00")],
        fields={"trial_days": 14},
    ),
    "while_it_is_paused": Story(
        "month",
        [
            ("2025-01-05", "pause", {}),
            ("2025-01-11", "change", change("year")),
            ("2025-01-21", "resume", {}),
            ("2025-01-31", "change", change("month")),
        ],
        "2025-02-01",
        # 5 days; the year from the day it is resumed, of which 10 days are used; a day; February
        [
            ("2025-01-01", "31.00"),
            ("2025-01-01", "-26.00"),
            ("2025-01-21", "345.00"),
            ("2025-01-21", "-335.00"),
            ("2025-01-31", "1.00"),
            ("2025-01-31", "31.00"),
        ],
    ),
    "with_a_coupon_for_good": Story(
        "month",
        [("2025-01-11", "change", change("year"))],
        "2025-01-12",
        [("2025-01-01", "15.50"), ("2025-01-01", "-10.50"), ("2025-01-11", "177.50")],
        fields={"coupon": "half"},
    ),
    "with_a_coupon_that_ended_before": Story(
        "month",
        [("2025-02-11", "change", change("year"))],
        "2025-02-12",
        # 10 of February's 28 days are 11.07; the year that began in the coupon's time is charged from 11 February on
        [("2025-01-01", "15.50"), ("2025-01-01", "31.00"), ("2025-02-01", "-19.93"), ("2025-02-11", "324.00")],
        fields={"coupon": "first"},
    ),
    "after_a_credit_note": Story(
        "year",
        [("2025-01-05", "credit", "100"), ("2025-01-11", "change", change("month"))],
        "2025-01-12",
        # Of 355.00 that are not used, 265.00 are left
        [("2025-01-01", "365.00"), ("2025-01-01", "-265.00"), ("2025-01-11", "21.00")],
    ),
    "after_a_void": Story(
        "year",
        [("2025-01-05", "void", None), ("2025-01-11", "change", change("month"))],
        "2025-02-01",
        [("2025-01-01", "365.00"), ("2025-01-11", "21.00"), ("2025-01-11", "31.00")],
    ),
    "cancelled_after_it": Story(
        "year",
        [("2025-01-11", "change", change("month")), ("2025-01-20", "cancel", {"when": "now"})],
        "2025-03-01",
        [("2025-01-01", "365.00"), ("2025-01-01", "-355.00"), ("2025-01-11", "21.00"), ("2025-01-11", "-11.00")],
    ),
    "anniversaries_on_the_31st": Story(
        "month",
        [("2025-03-10", "change", change("year")), ("2025-03-31", "change", change("month"))],
        "2025-04-30",
        # 31 January to 27 February; 10 of the 31 days from 28 February on; 21 days of a year; two months from 31 March
        [
            ("2025-01-31", "31.00"),
            ("2025-01-31", "31.00"),
            ("2025-02-28", "-21.00"),
            ("2025-03-10", "365.00"),
            ("2025-03-10", "-344.00"),
            ("2025-03-31", "31.00"),
            ("2025-03-31", "31.00"),
        ],
        starts="2025-01-31",
        fields={"anchor": "anniversary"},
    ),
    "two_changes_at_one_instant": Story(
        "month",
        [("2025-01-11", "change", change("year")), ("2025-01-11", "change", change("week"))],
        "2025-01-13",
        # The second takes the place of the first, for which an invoice was issued between them
        [("2025-01-01", "31.00"), ("2025-01-01", "-21.00"), ("2025-01-11", "355.00"), ("2025-01-11", "-346.00")],
    ),
    "two_changes_on_a_day_with_an_invoice_between": Story(
        "month",
        [("2025-01-11T08:00", "change", change("year")), ("2025-01-11T18:00", "change", change("week"))],
        "2025-01-13",
        # The year's 355.00 come back with the week's invoice, which charges two days and the next week
        [("2025-01-01", "31.00"), ("2025-01-01", "-21.00"), ("2025-01-11", "355.00"), ("2025-01-11", "-346.00")],
    ),
    "a_change_to_come_that_another_replaces": Story(
        "month",
        [
            ("2025-01-10", "change", change("year", "period_end")),
            ("2025-01-20", "change", change("quarter", "period_end")),
        ],
        "2025-04-01",
        [("2025-01-01", "31.00"), ("2025-02-01", "59.00"), ("2025-02-01", "90.00")],
    ),
    "cancelled_at_the_period_end": Story(
        "month", [("2025-01-10", "cancel", {"when": "period_end"})], "2025-03-01", [("2025-01-01", "31.00")]
    ),
    "cancelled_at_the_instant_at_which_another_interval_was_to_begin": Story(
        "month",
        [("2025-01-10", "change", change("year", "period_end")), ("2025-01-11", "cancel", {"when": "period_end"})],
        "2025-03-01",
        [("2025-01-01", "31.00")],
    ),
    "cancelled_at_the_first_instant_of_a_month_paid_for": Story(
        "month",
        [("2025-02-01", "cancel", {"when": "now"})],
        "2025-03-01",
        [("2025-01-01", "31.00"), ("2025-01-01", "31.00"), ("2025-02-01", "-31.00")],
    ),
    "cancelled_at_the_instant_at_which_it_began": Story(
        "month",
        [("2025-01-01", "cancel", {"when": "now"})],
        "2025-03-01",
        [("2025-01-01", "31.00"), ("2025-01-01", "-31.00")],
    ),
    "by_the_days_of_a_zone_with_summer_time": Story(
        "month",
        [("2025-03-26T23:00", "change", change("week"))],
        "2025-03-30T22:00",
        # 26 days of March; Thursday to Sunday, which has 23 hours; a week
        [("2025-02-28", "31.00"), ("2025-02-28", "-5.00"), ("2025-03-26", "4.00"), ("2025-03-26", "7.00")],
        starts="2025-02-28T23:00",
        customer={"timezone": "Europe/Berlin"},
    ),
    "fees_that_are_not_prorated": Story(
        "month-whole",
        [("2025-01-11", "change", change("year-whole"))],
        "2025-02-01",
        [("2025-01-01", "9.00"), ("2025-01-11", "100.00")],
    ),
    "two_months_to_year": Story(
        "two-months",
        [("2025-02-10", "change", change("year"))],
        "2025-02-11",
        # 40 of 59 days; 325 of 365
        [("2025-01-01", "59.00"), ("2025-01-01", "-19.00"), ("2025-02-10", "325.00")],
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_another_interval(api: Api, story: Story) -> None:
    clocked = tell(api, story)
    found = sorted(clocked.invoices(), key=lambda one: one["number"] or "")
    assert [(one["period_start"][:10], one["total"]) for one in found] == story.invoices
    assert all(one["lines"] for one in found)
    assert not [found for _, found in check_all(api.organization.pk) if found]
    assert documents_are_valid(api)


def settle_whole_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the old fault back: the first month after a year settled all that was charged in its calendar month."""
    cycle_bill = bills._cycle_bill

    def faulty(*given: Any) -> Bill:
        made = cycle_bill(*given)
        return replace(made, settles=made.arrears)

    monkeypatch.setattr(bills, "_cycle_bill", faulty)
    monkeypatch.setattr(Bill, "settles_usage_from", lambda bill, at: bill.arrears is not None and at in bill.arrears)


@pytest.mark.parametrize(
    ("story", "back"),
    [
        ("year_to_month_at_once", "720.00 is given back of 'base', and 355.00 was charged for days that were not used"),
        ("month_to_year_at_the_period_end", "186.00 is given back of 'base', and 0.00 was charged"),
        ("a_threshold_before_the_change", "18.00 is taken off for 'turns', and 6.00 was invoiced before"),
    ],
)
def test_what_is_given_back_twice_is_found_every_night(
    api: Api, monkeypatch: pytest.MonkeyPatch, story: str, back: str
) -> None:
    settle_whole_periods(monkeypatch)
    tell(api, STORIES[story])
    found = dict(check_all(api.organization.pk))["no more is given back than was charged"]
    assert any(one.detail.startswith(back) for one in found), found


def test_an_add_on_of_another_interval_is_removed_before_a_change(api: Api) -> None:
    clocked = Clocked.at(api, "2025-01-01T00:00:00Z")
    clocked.customer("acme")
    for key in ("month", "year"):
        clocked.plan(key, *PLANS[key]["prices"], interval=key)
        clocked.plan(f"extra-{key}", fee("31"), interval=key, add_on=True)
    path = f"subscriptions/{clocked.subscribe('acme', 'month', '2025-01-01T00:00:00Z')}"
    post(api, f"{path}/add_ons", {"plan": "extra-month"})
    clocked.advance("2025-01-11T00:00:00Z")
    for when in ("now", "period_end"):
        answer = api.post(f"{path}/change", change("year", when))
        assert (answer.status_code, answer.json()["code"]) == (422, "interval_mismatch")
    assert api.post(f"{path}/add_ons/extra-month/remove", {"when": "period_end"}).status_code in {200, 204}
    assert api.post(f"{path}/change", change("year", "now")).json()["code"] == "interval_mismatch"
    post(api, f"{path}/change", change("year", "period_end"))
    for key in ("month", "year"):
        assert api.post(f"{path}/add_ons", {"plan": f"extra-{key}"}).json()["code"] == "interval_mismatch"
    clocked.advance("2025-02-01T00:00:00Z")
    post(api, f"{path}/add_ons", {"plan": "extra-year"})


def tell(api: Api, story: Story) -> Clocked:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    starts = instant(story.starts)
    name_the_seller(api)
    clocked = Clocked.at(api, starts)
    clocked.customer("acme", **BUYER | story.customer)
    api.post("coupons", {"key": "half", "percent": "50"})
    api.post("coupons", {"key": "first", "percent": "50", "periods": 1})
    for key in {story.plan, *(body["plan"] for _, _, body in story.steps if isinstance(body, dict) and "plan" in body)}:
        given = dict(PLANS[key])
        clocked.plan(key, *given.pop("prices"), **given)
    subscription = clocked.subscribe("acme", story.plan, starts, **story.fields)
    clocked.advance(starts)
    for at, action, body in story.steps:
        clocked.advance(instant(at))
        if action == "turns":
            clocked.turns("acme", body, instant(at))
        elif action == "void":
            post(api, f"invoices/{clocked.invoices()[0]['id']}/void")
        elif action == "credit":
            [invoice] = clocked.invoices()
            line = {"line": invoice["lines"][0]["id"], "amount": body}
            post(api, "credit_notes", {"invoice": invoice["id"], "lines": [line]})
        elif action != "advance":
            post(api, f"subscriptions/{subscription}/{action}", body)
    clocked.advance(instant(story.until))
    return clocked


def post(api: Api, path: str, body: dict[str, Any] | None = None) -> None:
    answer = api.post(path, body or {})
    assert answer.status_code in {200, 201}, answer.content


def instant(text: str) -> str:
    return f"{text}:00Z" if "T" in text else f"{text}T00:00:00Z"
