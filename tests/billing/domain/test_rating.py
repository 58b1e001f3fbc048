"""A price applied to usage: included units, minimum, maximum, proration and one rounding, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.rating.pricing import parse_model
from billing.rating.pricing.exact import AmountOutOfRange, share
from billing.rating.pricing.values import UnpricedUsage, Usage
from billing.rating.rate import Kind, PriceTerms, RatedLine, rate
from kernel.money import round_to_currency


def usage_price(unit_amount: str, **terms: str) -> PriceTerms:
    numbers = {name: Decimal(value) for name, value in terms.items()}
    return replace(PriceTerms("usage", parse_model({"type": "per_unit", "unit_amount": unit_amount})), **numbers)


def fee(amount: str, kind: Kind = "fixed") -> PriceTerms:
    return PriceTerms(kind, parse_model({"type": "per_unit", "unit_amount": amount}))


def line(price: PriceTerms, quantity: str, fraction: Fraction | Decimal | int = 1, currency: str = "USD") -> RatedLine:
    return rate(price, Usage(Decimal(quantity)), currency=currency, fraction=fraction)


@pytest.mark.parametrize(
    ("price", "quantity", "fraction", "exact", "amount"),
    [
        # included units come off first
        (usage_price("0.04", included="500"), "0", 1, "0", "0.00"),
        (usage_price("0.04", included="500"), "499.5", 1, "0", "0.00"),
        (usage_price("0.04", included="500"), "500", 1, "0", "0.00"),
        (usage_price("0.04", included="500"), "500.5", 1, "0.02", "0.02"),
        (usage_price("0.04", included="500"), "1229", 1, "29.16", "29.16"),  # 729 x 0.04
        # and are prorated: 250 of them, so 979 x 0.04
        (usage_price("0.04", included="500"), "1229", Fraction(1, 2), "39.16", "39.16"),
        # 100 / 3 is kept to 24 places
        (usage_price("1", included="100"), "34", Fraction(1, 3), "0.666666666666666666666667", "0.67"),
        # minimum and maximum
        (usage_price("0.05", minimum="100"), "1229", 1, "100", "100.00"),
        (usage_price("0.05", minimum="50"), "1229", 1, "61.45", "61.45"),
        (usage_price("0.05", maximum="50"), "1229", 1, "50", "50.00"),
        (usage_price("0.05", maximum="61.45"), "1229", 1, "61.45", "61.45"),
        (usage_price("0.05", minimum="10", maximum="50"), "100", 1, "10", "10.00"),
        (usage_price("0.05", minimum="10", maximum="50"), "2000", 1, "50", "50.00"),
        (usage_price("0.05", minimum="100"), "0", Fraction(2, 29), "6.896551724137931034482759", "6.90"),
        (usage_price("0.05", maximum="50"), "1229", Fraction(1, 2), "25", "25.00"),
        # included before the minimum: 0 charged, the minimum due
        (usage_price("0.05", included="2000", minimum="5"), "1229", 1, "5", "5.00"),
        # usage itself is never prorated
        (usage_price("0.05"), "1229", Fraction(1, 2), "61.45", "61.45"),
        # fees are
        (fee("910"), "1", Fraction(32, 91), "320", "320.00"),
        (fee("100"), "1", Fraction(2, 29), "6.896551724137931034482759", "6.90"),
        (fee("49"), "1", Fraction(0), "0", "0.00"),
        (fee("49"), "1", Decimal("0.5"), "24.5", "24.50"),
        (fee("30", "seat"), "5", 1, "150", "150.00"),
        (fee("30", "seat"), "5", Fraction(10, 30), "50", "50.00"),
        (fee("30", "seat"), "0", Fraction(1, 2), "0", "0.00"),
        # 2 of 5 seats beyond the 3 included, for half a month
        (replace(fee("30", "seat"), included=Decimal(3)), "5", Fraction(1, 2), "30", "30.00"),
        # a fee's minimum is for the whole period, and shrinks with it: max(60, 100) / 2
        (replace(fee("30", "seat"), minimum=Decimal(100)), "2", Fraction(1, 2), "50", "50.00"),
        # unless the price says not to
        (replace(fee("49"), prorate=False), "1", Fraction(1, 31), "49", "49.00"),
        (replace(usage_price("1", included="31", minimum="2"), prorate=False), "32", Fraction(1, 31), "2", "2.00"),
    ],
)
def test_a_price_comes_to(
    price: PriceTerms, quantity: str, fraction: Fraction | Decimal | int, exact: str, amount: str
) -> None:
    rated = line(price, quantity, fraction)
    assert (rated.amount_exact, str(rated.amount)) == (Decimal(exact), amount)
    assert sum(row.amount for row in rated.breakdown) == Decimal(exact)
    assert rated.quantity == Decimal(quantity)


@pytest.mark.parametrize(
    ("unit_amount", "currency", "amount"),
    [
        ("0.005", "USD", "0.01"),
        ("0.004999999999", "USD", "0.00"),
        ("2.675", "EUR", "2.68"),  # 2.67 in binary floating point
        ("1.005", "USD", "1.01"),
        ("0.125", "USD", "0.13"),  # to even it would be 0.12
        ("0.5", "JPY", "1"),
        ("2.5", "JPY", "3"),
        ("0.0005", "KWD", "0.001"),
        ("1.2345", "KWD", "1.235"),
    ],
)
def test_a_line_is_rounded_half_up_to_its_currency(unit_amount: str, currency: str, amount: str) -> None:
    assert str(line(usage_price(unit_amount), "1", currency=currency).amount) == amount


def test_a_prorated_commitment_less_what_was_billed_is_the_true_up() -> None:
    # 10,000 x 2 / 29 = 689.66; less a fee of 6.90 and usage of 30.00
    commitment = round_to_currency(share(Decimal(10_000), Fraction(2, 29)), "USD")
    assert commitment - Decimal("6.90") - Decimal("30.00") == Decimal("652.76")


ACTIONS = parse_model(
    {
        "type": "matrix",
        "dimensions": ["action"],
        "cells": [
            {"where": {"action": "answer"}, "unit_amount": "1"},
            {"where": {"action": "search"}, "unit_amount": "1"},
            {"where": {"action": "route"}, "unit_amount": "5"},
        ],
    }
)
USED = [({"action": "search"}, Decimal(10)), ({"action": "answer"}, Decimal(10)), ({"action": "route"}, Decimal(2))]


@pytest.mark.parametrize(
    ("included", "left"),
    [
        ("0.5", {"answer": "10", "route": "1.5", "search": "10"}),
        ("2", {"answer": "10", "route": "0", "search": "10"}),
        ("5", {"answer": "7", "route": "0", "search": "10"}),  # of equal prices, by the group's name
        ("13", {"answer": "0", "route": "0", "search": "9"}),
        ("99", {"answer": "0", "route": "0", "search": "0"}),
    ],
)
def test_included_units_of_a_matrix_come_off_the_dearest_group_first(included: str, left: dict[str, str]) -> None:
    price = PriceTerms("usage", ACTIONS, included=Decimal(included))
    for usage in (Usage.by_group(USED), Usage.by_group(reversed(USED))):
        rated = rate(price, usage, currency="USD")
        charged = {dict(row.group or ())["action"]: row.quantity for row in rated.breakdown}
        assert charged == {action: Decimal(units) for action, units in left.items() if units != "0"}


def test_groups_make_no_difference_to_included_units_of_other_models() -> None:
    # 22 units in three groups, 2 of them included
    rated = rate(usage_price("0.5", included="2"), Usage.by_group(USED), currency="USD")
    assert rated.amount == 10


def test_included_units_do_not_hide_usage_without_a_price() -> None:
    usage = Usage.by_group([*USED, ({"action": "dance"}, Decimal(1))])
    with pytest.raises(UnpricedUsage):
        rate(PriceTerms("usage", ACTIONS, included=Decimal(99)), usage, currency="USD")


def test_the_steps_tell_how_an_amount_came_about() -> None:
    price = usage_price("0.04", included="500", minimum="20", maximum="25")
    assert [step.to_json() for step in line(price, "1229", Fraction(1, 2)).steps] == [
        {"kind": "included", "setting": "250", "before": "1229", "after": "979"},
        {"kind": "pricing", "setting": "per_unit", "before": "979", "after": "39.16"},
        {"kind": "minimum", "setting": "10", "before": "39.16", "after": "39.16"},
        {"kind": "maximum", "setting": "12.5", "before": "39.16", "after": "12.5"},
        {"kind": "rounding", "setting": "USD", "before": "12.5", "after": "12.5"},
    ]
    assert [step.to_json() for step in line(fee("910"), "1", Fraction(32, 91)).steps] == [
        {"kind": "pricing", "setting": "per_unit", "before": "1", "after": "910"},
        {"kind": "proration", "setting": "32/91", "before": "910", "after": "320"},
        {"kind": "rounding", "setting": "USD", "before": "320", "after": "320"},
    ]


def test_what_a_limit_or_proration_changes_is_a_row_of_its_own() -> None:
    assert [(row.reason, str(row.amount)) for row in line(usage_price("1", minimum="10"), "4").breakdown] == [
        (None, "4"),
        ("minimum", "6"),
    ]
    assert [(row.reason, str(row.amount)) for row in line(usage_price("1", maximum="3"), "4").breakdown] == [
        (None, "4"),
        ("maximum", "-1"),
    ]
    assert [(row.reason, str(row.amount)) for row in line(fee("30", "seat"), "2", Fraction(1, 3)).breakdown] == [
        (None, "60"),
        ("proration", "-40"),
    ]


def test_a_line_has_a_unit_amount_where_all_units_cost_the_same() -> None:
    tiers = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "2"}]
    graduated = PriceTerms("usage", parse_model({"type": "graduated", "tiers": tiers}))
    assert line(graduated, "10").unit_amount == 1
    assert line(graduated, "11").unit_amount is None
    assert line(usage_price("0.05", minimum="5"), "1").unit_amount == Decimal("0.05")
    assert line(PriceTerms("fixed", parse_model({"type": "flat", "amount": "49"})), "1").unit_amount is None


@pytest.mark.parametrize("fraction", [Fraction(-1, 2), Fraction(3, 2), Decimal("1.01")])
def test_a_part_of_a_period_is_between_nothing_and_all_of_it(fraction: Fraction | Decimal) -> None:
    with pytest.raises(ValueError, match="no part of a period"):
        line(fee("49"), "1", fraction)


def test_a_digit_is_never_lost_in_silence() -> None:
    # 48 digits times 19 do not fit in 60
    with pytest.raises(AmountOutOfRange) as caught:
        line(usage_price("999999.999999999999"), "999999999999999999." + "9" * 30)
    assert caught.value.code == "amount_out_of_range"
