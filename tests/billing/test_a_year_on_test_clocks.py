"""A year of 31 differently shaped subscriptions on one test clock: every invoice, worked out by hand.

2024 has a 29 February. Totals are before anything but the plan's prices; dates are those of the customer's zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.invariants import check_all
from tests.api import Api
from tests.billing.test_billing_periods import fee
from tests.billing.test_changes import seats

Make = Callable[..., Any]
Invoice = tuple[str, str, str]

START, END = "2024-01-01T00:00:00Z", "2025-01-31T12:00:00Z"

PLANS: dict[str, dict[str, Any]] = {
    "31": {"prices": [fee("31.00")]},
    "30": {"prices": [fee("30.00")]},
    "62": {"prices": [fee("62.00")]},
    "50": {"prices": [fee("50.00")]},
    "100": {"prices": [fee("100.00")]},
    "31 ahead": {"prices": [fee("31.00", bill="in_advance")]},
    "62 ahead": {"prices": [fee("62.00", bill="in_advance")]},
    "100 ahead": {"prices": [fee("100.00", bill="in_advance")]},
    "seats": {"prices": [seats("31.00")]},
    "seats ahead": {"prices": [seats("31.00", bill="in_advance")]},
    "week": {"interval": "week", "prices": [fee("7.00")]},
    "ten days": {"interval": "day", "interval_count": 10, "prices": [fee("10.00")]},
    "five months": {"interval": "month", "interval_count": 5, "prices": [fee("500.00")]},
    "quarter": {"interval": "quarter", "prices": [fee("910.00")]},
    "quarter ahead": {"interval": "quarter", "prices": [fee("910.00", bill="in_advance")]},
    "year": {"interval": "year", "prices": [fee("366.00")]},
    "year ahead": {"interval": "year", "prices": [fee("365.00", bill="in_advance")]},
    "trial": {"trial_days": 14, "prices": [fee("31.00")]},
    "committed": {"minimum_commitment": "10000.00", "prices": [fee("100.00")]},
    "yen": {"currency": "JPY", "prices": [fee("3100")]},
    "dinar": {"currency": "KWD", "prices": [fee("31.000")]},
    "gpu": {"add_on": True, "prices": [seats("3.10")]},
}


@dataclass
class Shape:
    plan: str
    starts_at: str
    expected: Sequence[Invoice]
    zone: str = "UTC"
    terms: dict[str, Any] = field(default_factory=dict)
    #: What is asked of the subscription, and when; the first may be its own start, where that is backdated.
    actions: Sequence[tuple[str, str, dict[str, Any]]] = ()
    created_at: str | None = None


def cycles(total: str, *days: str) -> list[Invoice]:
    return [("cycle", day, total) for day in days]


def every(days: int, first: str, number: int, total: str) -> list[Invoice]:
    """A cycle invoice over `total` for each of `number` periods of so many days."""
    start = date.fromisoformat(first)
    return cycles(total, *(str(start + timedelta(days=days * index)) for index in range(number)))


def months(total: str, first: int = 1, last: int = 12, day: str = "01") -> list[Invoice]:
    """A cycle invoice over `total` for every month of 2024 from `first` to `last`."""
    return cycles(total, *(f"2024-{month:02d}-{day}" for month in range(first, last + 1)))


#: Anchored on the 31st: the last day of shorter months, and the 31st again after them.
LAST_DAYS = ("01-31", "02-29", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31")
ON_LAST_DAYS = [f"2024-{day}" for day in LAST_DAYS]
ANNIVERSARY = {"anchor": "anniversary"}

SHAPES: dict[str, Shape] = {
    "monthly": Shape("31", START, months("31.00")),
    "anchored on the 31st in Berlin": Shape(
        "100", "2024-01-31T09:00:00Z", cycles("100.00", *ON_LAST_DAYS), "Europe/Berlin", ANNIVERSARY
    ),
    # 30 January: 29 February, then the 30th again. Each invoice is for the month to come.
    "anchored on the 30th, in advance": Shape(
        "100 ahead",
        "2024-01-30T00:00:00Z",
        [
            ("opening", "2024-01-30", "100.00"),
            *cycles("100.00", "2024-01-30", "2024-02-29"),
            *months("100.00", 3, day="30"),
        ],
        terms=ANNIVERSARY,
    ),
    "a year from 29 February, in advance": Shape(
        "year ahead", "2024-02-29T00:00:00Z", [("opening", "2024-02-29", "365.00")], terms=ANNIVERSARY
    ),
    "monthly from 29 February": Shape(
        "50", "2024-02-29T00:00:00Z", [*cycles("50.00", "2024-02-29"), *months("50.00", 3, day="29")], terms=ANNIVERSARY
    ),
    # 16 of January's 31 days at 2.00 a day; there, January 2025 is over at noon of the 31st in UTC
    "UTC+14": Shape(
        "62",
        "2024-01-15T12:00:00Z",
        [*cycles("32.00", "2024-01-16"), *months("62.00", 2), *cycles("62.00", "2025-01-01")],
        "Pacific/Kiritimati",
    ),
    # Wednesday to Sunday, then 55 whole weeks to Monday 27 January 2025, over both changes of the clocks
    "weekly in New York": Shape(
        "week",
        "2024-01-03T15:00:00Z",
        [*cycles("5.00", "2024-01-03"), *every(7, "2024-01-08", 55, "7.00")],
        "America/New_York",
    ),
    # 39 x 10 days from 1 January 2024 end on 25 January 2025
    "every ten days": Shape("ten days", START, every(10, "2024-01-01", 39, "10.00"), terms=ANNIVERSARY),
    "five months from the 31st": Shape(
        "five months", "2024-01-31T00:00:00Z", cycles("500.00", "2024-01-31", "2024-06-30"), terms=ANNIVERSARY
    ),
    # 46 of the first quarter's 91 days
    "quarterly": Shape(
        "quarter",
        "2024-02-15T00:00:00Z",
        [*cycles("460.00", "2024-02-15"), *cycles("910.00", "2024-04-01", "2024-07-01", "2024-10-01")],
    ),
    "quarterly from the 31st": Shape(
        "quarter",
        "2024-01-31T00:00:00Z",
        cycles("910.00", "2024-01-31", "2024-04-30", "2024-07-31", "2024-10-31"),
        terms=ANNIVERSARY,
    ),
    # 42 of 91 days in advance; ended after 32 of them, 10 days are given back
    "a quarter in advance, cancelled": Shape(
        "quarter ahead",
        "2024-05-20T00:00:00Z",
        [("opening", "2024-05-20", "420.00"), ("cycle", "2024-05-20", "-100.00")],
        actions=[("2024-06-20T10:00:00Z", "cancel", {"when": "now"})],
    ),
    # 184 of 366 days
    "half a year of a year": Shape("year", "2024-07-01T00:00:00Z", cycles("184.00", "2024-07-01")),
    "a trial of 14 days": Shape("trial", "2024-01-08T00:00:00Z", [*cycles("10.00", "2024-01-22"), *months("31.00", 2)]),
    "a trial that ends on the 31st": Shape(
        "100", START, cycles("100.00", *ON_LAST_DAYS), terms=ANNIVERSARY | {"trial_days": 30}
    ),
    # Upgraded on 31 March: that day at 2.00 instead of 1.00, and April at 62.00
    "upgraded the day before renewal, in advance": Shape(
        "31 ahead",
        START,
        [("opening", "2024-01-01", "31.00"), *months("31.00", 1, 2), *months("63.00", 3, 3), *months("62.00", 4)],
        actions=[("2024-03-31T12:00:00Z", "change", {"plan": "62 ahead", "when": "now"})],
    ),
    # 15 February to 15 March is 29 days: 31 x 28/29 = 29.93 and 62 x 1/29 = 2.14
    "upgraded the day before renewal, in arrears": Shape(
        "31",
        "2024-01-15T00:00:00Z",
        [*months("31.00", 1, 1, "15"), *months("32.07", 2, 2, "15"), *months("62.00", 3, day="15")],
        terms=ANNIVERSARY,
        actions=[("2024-03-14T08:00:00Z", "change", {"plan": "62", "when": "now"})],
    ),
    "downgraded at the end of a period": Shape(
        "62",
        START,
        [*months("62.00", 1, 4), *months("31.00", 5)],
        actions=[("2024-04-10T00:00:00Z", "change", {"plan": "31", "when": "period_end"})],
    ),
    # 5 seats for 10 days and 8 for 21, at 1.00 a day
    "seats up, in arrears": Shape(
        "seats",
        START,
        [*months("218.00", 1, 1), *months("248.00", 2)],
        terms={"seats": 5},
        actions=[("2024-01-11T15:00:00Z", "change", {"seats": 8})],
    ),
    # One seat given back for 10 of March's 31 days, and April with four
    "seats down, in advance": Shape(
        "seats ahead",
        "2024-03-01T00:00:00Z",
        [("opening", "2024-03-01", "155.00"), *months("114.00", 3, 3), *months("124.00", 4)],
        terms={"seats": 5},
        actions=[("2024-03-22T00:00:00Z", "change", {"seats": 4})],
    ),
    # May: 2 x 10 + 6 x 10 + 3 x 11 = 113.00 less 62.00 paid, and June with three
    "seats up and down, in advance": Shape(
        "seats ahead",
        "2024-05-01T00:00:00Z",
        [("opening", "2024-05-01", "62.00"), *months("144.00", 5, 5), *months("93.00", 6)],
        terms={"seats": 2},
        actions=[("2024-05-11T09:00:00Z", "change", {"seats": 6}), ("2024-05-21T09:00:00Z", "change", {"seats": 3})],
    ),
    # 10 and 9 of April's 30 days
    "paused for some days": Shape(
        "30",
        START,
        [*months("30.00", 1, 3), *months("19.00", 4, 4), *months("30.00", 5)],
        actions=[("2024-04-10T18:00:00Z", "pause", {}), ("2024-04-22T06:00:00Z", "resume", {})],
    ),
    # 10 of February's 29 days are 10.69 of 31.00; nothing for March and April; 10 days of May, and June
    "paused for months, in advance": Shape(
        "31 ahead",
        START,
        [
            ("opening", "2024-01-01", "31.00"),
            *months("31.00", 1, 1),
            *months("-20.31", 2, 2),
            ("cycle", "2024-05-22", "41.00"),
            *months("31.00", 6),
        ],
        actions=[("2024-02-10T18:00:00Z", "pause", {}), ("2024-05-22T06:00:00Z", "resume", {})],
    ),
    # 2 of February's 29 days of a commitment of 10,000.00
    "committed": Shape("committed", "2024-02-28T00:00:00Z", [*cycles("689.66", "2024-02-28"), *months("10000.00", 3)]),
    "backdated": Shape(
        "31",
        "2024-01-15T00:00:00Z",
        [*cycles("17.00", "2024-01-15"), *months("31.00", 2)],
        created_at="2024-03-10T00:00:00Z",
    ),
    "cancelled at the end of a period": Shape(
        "31", START, months("31.00", 1, 6), actions=[("2024-06-15T00:00:00Z", "cancel", {"when": "period_end"})]
    ),
    "cancelled on its first day": Shape(
        "31",
        "2024-08-01T00:00:00Z",
        cycles("1.00", "2024-08-01"),
        actions=[("2024-08-01T10:00:00Z", "cancel", {"when": "now"})],
    ),
    "yen": Shape("yen", "2024-01-16T00:00:00Z", [*cycles("1600", "2024-01-16"), *months("3100", 2)]),
    "dinars": Shape("dinar", "2024-01-21T00:00:00Z", [*cycles("11.000", "2024-01-21"), *months("31.000", 2)]),
    # 20 days of a month from 1 October; then a year from the 21st, in advance
    "from months to years": Shape(
        "31",
        "2024-10-01T00:00:00Z",
        [("cycle", "2024-10-01", "20.00"), ("opening", "2024-10-21", "365.00")],
        terms=ANNIVERSARY,
        actions=[("2024-10-21T17:00:00Z", "change", {"plan": "year ahead", "when": "now"})],
    ),
    # October: 2 x 3.10 x 20/31 more
    "with an add-on": Shape(
        "31",
        START,
        [*months("31.00", 1, 9), *months("35.00", 10, 10), *months("37.20", 11)],
        actions=[("2024-10-12T09:00:00Z", "add_ons", {"plan": "gpu", "quantity": 2})],
    ),
}


@pytest.fixture
def year(vendor: Api) -> dict[str, list[Invoice]]:
    """The invoices of each shape, after all that happened in the year."""
    for key, plan in PLANS.items():
        body = {"key": key.replace(" ", "-"), "currency": "USD"} | plan
        assert vendor.post("plans", body).status_code == 201
    clock = vendor.post("test_clocks", {"now": START}).json()["id"]
    steps: list[tuple[str, str, str, dict[str, Any]]] = []
    for number, shape in enumerate(SHAPES.values()):
        currency = PLANS[shape.plan].get("currency", "USD")
        vendor.customer(f"c{number}", timezone=shape.zone, currency=currency, test_clock=clock)
        start = {"customer": f"c{number}", "plan": shape.plan.replace(" ", "-"), "starts_at": shape.starts_at}
        created_at = shape.created_at or max(START, shape.starts_at[:10] + "T00:00:00Z")
        steps.append((min(created_at, shape.created_at or shape.starts_at), f"c{number}", "start", start | shape.terms))
        steps += [(at, f"c{number}", action, body) for at, action, body in shape.actions]
    subscriptions: dict[str, str] = {}
    for at, customer, action, body in sorted(steps, key=lambda step: step[0]):
        assert vendor.post(f"test_clocks/{clock}/advance", {"to": at}).status_code == 200
        path = "subscriptions" if action == "start" else f"subscriptions/{subscriptions[customer]}/{action}"
        answer = vendor.post(path, body | ({"plan": body["plan"].replace(" ", "-")} if "plan" in body else {}))
        assert answer.status_code in (200, 201), (customer, action, answer.content)
        subscriptions.setdefault(customer, answer.json()["id"])
    assert vendor.post(f"test_clocks/{clock}/advance", {"to": END}).status_code == 200
    assert vendor.post(f"test_clocks/{clock}/advance", {"to": END}).json()["invoices"] == 0
    return {name: _invoices(vendor, f"c{number}", shape.zone) for number, (name, shape) in enumerate(SHAPES.items())}


def _invoices(vendor: Api, customer: str, zone: str) -> list[Invoice]:
    found = vendor.get("invoices", customer=customer, limit="1000").json()["data"]
    return [
        (
            one["kind"],
            str(datetime.fromisoformat(one["period_start"]).astimezone(ZoneInfo(zone)).date()),
            one["total"],
        )
        for one in sorted(found, key=lambda one: one["number"])
    ]


def test_every_invoice_of_the_year_is_the_one_worked_out_by_hand(year: dict[str, list[Invoice]], vendor: Api) -> None:
    different = {
        name: (found, list(shape.expected))
        for name, shape in SHAPES.items()
        if (found := year[name]) != list(shape.expected)
    }
    assert different == {}
    assert len(SHAPES) == 31
    assert [(law, found) for law, found in check_all(vendor.organization.pk) if found] == []
