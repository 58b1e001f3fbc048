"""How numbers, prices and selections are written; nothing here needs a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from console import formats
from console.charts import OTHER, Chart, Series
from console.selection import read_selection
from console.templatetags.console_payments import reminder_days
from console.wording import interval_in_words, price_in_words, step_in_words
from kernel.errors import InvalidError

NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234.5", "USD", "$1,234.50"),
        ("-3", "EUR", "\u2212€3.00"),
        ("0.005", "USD", "$0.01"),
        ("1234.5", "JPY", "¥1,235"),
        ("7", "CHF", "CHF\u00a07.00"),
    ],
)
def test_money_has_the_digits_of_its_currency(amount: str, currency: str, written: str) -> None:
    assert formats.money(Decimal(amount), currency) == written


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([-3, 1, 7, 14], "3 days before, and 1, 7 and 14 days after it is due"),
        ([0], "on the day it is due"),
        ([1], "1 day after it is due"),
        ([], "none"),
    ],
)
def test_days_of_reminders_are_said_in_words(days: list[int], words: str) -> None:
    assert reminder_days(days) == words


def test_exact_money_keeps_every_digit() -> None:
    assert formats.exact_money(Decimal("0.000012"), "USD") == "$0.000012"
    assert formats.exact_money(Decimal("49"), "USD") == "$49.00"


def test_small_money_shows_two_digits_that_count() -> None:
    assert formats.small_money(Decimal("0.004032"), "USD") == "$0.0040"
    assert formats.small_money(Decimal("0"), "USD") == "$0.00"
    assert formats.small_money(Decimal("12.345"), "USD") == "$12.35"


def test_quantities_have_separators_and_no_needless_zeros() -> None:
    assert formats.quantity(Decimal("22361870.00")) == "22,361,870"
    assert formats.quantity(Decimal("1E+3")) == "1,000"
    assert formats.rounded(Decimal("1000.49")) == "1,000"
    assert formats.rounded(Decimal("0.746")) == "0.75"


def selection(now: datetime = NOW, zone: str = "UTC", **parameters: str) -> Any:
    return read_selection(parameters, now=now, zone=ZoneInfo(zone))


def test_this_month_is_that_of_the_time_zone() -> None:
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert selection(late).first == date(2026, 11, 1)
    assert selection(late, "Europe/Berlin").first == date(2026, 12, 1)


def test_a_month_ends_with_its_last_day_and_is_drawn_up_to_today() -> None:
    found = selection()
    assert found.period.end == datetime(2026, 12, 1, tzinfo=UTC)
    assert found.windows[-1] == date(2026, 11, 23)
    assert found.is_whole_months


def test_thirty_days_end_today() -> None:
    found = selection(period="last_30_days")
    assert (found.first, found.last) == (date(2026, 10, 25), date(2026, 11, 23))
    assert not found.is_whole_months
    assert found.months_in_words == "Oct 2026 \u2013 Nov 2026"


def test_a_long_period_is_drawn_by_the_month() -> None:
    found = selection(**{"from": "2026-01-15", "to": "2026-12-31"})
    assert found.window == "month"
    assert found.windows[:2] == [date(2026, 1, 15), date(2026, 2, 1)]
    assert found.windows[-1] == date(2026, 11, 1)


def test_a_selection_is_written_back_to_its_address() -> None:
    found = selection(**{"from": "2026-10-01", "to": "2026-10-31", "customer": "a&b"})
    assert found.query() == "period=custom&from=2026-10-01&to=2026-10-31&customer=a%26b"
    assert found.query(period="last_month", customer=None) == "period=last_month"


@pytest.mark.parametrize(
    "parameters",
    [{"from": "soon"}, {"from": "2026-10-02", "to": "2026-10-01"}, {"from": "2000-01-01"}, {"period": "eternity"}],
)
def test_a_selection_that_makes_no_sense_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(InvalidError):
        selection(**parameters)


def price(model: dict[str, Any], **more: Any) -> Any:
    values = {"name": "Price", "kind": "usage", "meter": SimpleNamespace(unit="turn"), "filter": {}, "prorate": True}
    values |= {"bill": "in_arrears"}
    values |= {"included": Decimal(0), "minimum": None, "maximum": None, "model": model}
    return SimpleNamespace(**(values | more))


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        ({"type": "per_unit", "unit_amount": "0.05"}, {}, "$0.05 per turn"),
        ({"type": "per_unit", "unit_amount": "0.00000015"}, {}, "$0.00000015 per turn ($0.15 per million)"),
        ({"type": "flat", "amount": "49"}, {"kind": "fixed", "meter": None}, "$49.00 per month"),
        ({"type": "per_unit", "unit_amount": "30"}, {"kind": "seat", "meter": None}, "$30.00 per seat and month"),
        (
            {"type": "package", "package_size": "1000", "package_amount": "5", "free_units": "100"},
            {},
            "$5.00 per begun package of 1,000 (turn), 100 free",
        ),
        (
            {"type": "percentage", "rate": "2.9", "fixed_amount": "0.3", "free_units": "0"},
            {},
            "2.9% plus $0.30 per event",
        ),
    ],
)
def test_a_price_in_words(model: dict[str, Any], more: dict[str, Any], words: str) -> None:
    assert price_in_words(price(model, **more), currency="USD", interval="month").sentence == words


def test_tiers_and_cells_are_tables() -> None:
    tiers = [
        {"up_to": "100", "unit_amount": "0.01", "flat_amount": "5"},
        {"up_to": None, "unit_amount": "0.005", "flat_amount": "0"},
    ]
    words = price_in_words(price({"type": "volume", "tiers": tiers}), currency="USD", interval="month")
    assert words.columns == ("Turns", "Per turn", "Flat")
    assert words.rows == (("0 \u2013 100", "$0.01", "$5.00"), ("over 100", "$0.005", "$0.00"))
    cells = [{"where": {"model": "a"}, "unit_amount": "2"}]
    matrix = {"type": "matrix", "dimensions": ["model"], "cells": cells, "default_unit_amount": "3"}
    words = price_in_words(price(matrix), currency="USD", interval="month")
    assert words.rows == (("model a", "$2.00"), ("everything else", "$3.00"))


def test_what_limits_a_price_is_said() -> None:
    limited = price(
        {"type": "per_unit", "unit_amount": "1"},
        included=Decimal(500),
        minimum=Decimal(5),
        maximum=Decimal(80),
        prorate=False,
        filter={"model": "a"},
    )
    assert price_in_words(limited, currency="USD", interval="month").conditions == (
        "where model is a",
        "first 500 turns included",
        "at least $5.00",
        "at most $80.00",
        "not prorated",
    )


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (("minimum", "5", "1.2", "5"), "At least $5.00: $1.20 becomes $5.00"),
        (("maximum", "80", "12", "12"), "At most $80.00: no difference here"),
        (
            ("proration", "21/31", "49", "33.19354838"),
            "Prorated to 21/31 of the period, by days: $49.00 becomes $33.19354838",
        ),
        (("rounding", "USD", "33.19354838", "33.19"), "Rounded half up, once, to USD: $33.19354838 becomes $33.19"),
        (("pricing", "flat", "1", "49"), "A flat amount: $49.00"),
        (("pricing", "graduated", "250", "1.75"), "250 turns, each at the price of its own tier: $1.75"),
        (("unheard_of", "x", "1", "2"), "unheard_of x: 1 becomes 2"),
    ],
)
def test_a_step_in_words(step: tuple[str, str, str, str], words: str) -> None:
    stored = dict(zip(("kind", "setting", "before", "after"), step, strict=True))
    assert step_in_words(stored, unit="turn", currency="USD") == words


def test_a_chart_draws_its_largest_series_and_the_rest_as_one() -> None:
    series = tuple(Series(f"agent-{i}", (Decimal(i),)) for i in range(1, 9))
    drawn = Chart("k", "Title", "Day", ("1 Oct",), series, stacked=True).drawn["series"]
    assert drawn == [
        {"name": "agent-8", "values": ["8"]},
        {"name": "agent-7", "values": ["7"]},
        {"name": "agent-6", "values": ["6"]},
        {"name": "agent-5", "values": ["5"]},
        {"name": "agent-4", "values": ["4"]},
        {"name": OTHER, "values": ["6"]},  # 3 + 2 + 1
    ]


def test_when_a_price_is_charged_and_how_often_is_said() -> None:
    fee = price({"type": "flat", "amount": "49"}, kind="fixed", bill="in_advance", meter=None)
    words = price_in_words(fee, currency="USD", interval=interval_in_words("month", 3))
    assert (words.sentence, words.conditions) == ("$49.00 per 3 months", ("in advance",))


def test_what_is_taken_off_has_one_minus_and_what_is_added_none() -> None:
    assert formats.taken_off(Decimal("21"), "USD") == "\u2212$21.00"
    assert formats.taken_off(Decimal("-21"), "USD") == "$21.00"


def test_what_a_division_left_is_cut_to_what_can_be_read() -> None:
    third = Decimal("386.129032258064516129032258")
    assert formats.quantity(third) == "386.129032\u2026"
    assert formats.exact_money(-third, "USD") == "\u2212$386.129032\u2026"
    assert formats.exact_money(Decimal("0.000000000012"), "USD") == "$0.000000000012"
    assert formats.quantity(Decimal("0.000000000012")) == "0.000000000012"
