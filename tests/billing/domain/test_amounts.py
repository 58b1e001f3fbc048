"""Amounts of every pricing model, worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.rating.pricing import calculate, parse_model
from billing.rating.pricing.values import UnpricedUsage, Usage, UsageInvalid

FLAT = {"type": "flat", "amount": "49"}
TURN = {"type": "per_unit", "unit_amount": "0.05"}
TOKEN = {"type": "per_unit", "unit_amount": "0.00000015"}
PACKAGE = {"type": "package", "package_size": "100", "package_amount": "5", "free_units": "100"}
SECONDS = {"type": "package", "package_size": "0.5", "package_amount": "0.01"}
#: 10 to begin with; 1 each up to 10, 0.5 each up to 20 and 5 more, 0.1 each above and 2 more.
STEPS = [
    {"up_to": "10", "unit_amount": "1", "flat_amount": "10"},
    {"up_to": "20", "unit_amount": "0.5", "flat_amount": "5"},
    {"up_to": None, "unit_amount": "0.1", "flat_amount": "2"},
]
GRADUATED = {"type": "graduated", "tiers": STEPS}
VOLUME = {"type": "volume", "tiers": STEPS}
ZERO_FREE = [
    {"up_to": "0", "unit_amount": "0"},
    {"up_to": None, "unit_amount": "1", "flat_amount": "20"},
]
PERCENTAGE = {"type": "percentage", "rate": "2.9", "fixed_amount": "0.30", "free_units": "100"}
BANDS = {
    "type": "graduated_percentage",
    "tiers": [
        {"up_to": "1000", "rate": "1", "flat_amount": "200"},
        {"up_to": "10000", "rate": "2", "flat_amount": "300"},
        {"up_to": None, "rate": "3", "flat_amount": "400"},
    ],
}


@pytest.mark.parametrize(
    ("model", "quantity", "events", "amount"),
    [
        # flat: the same whatever was used
        (FLAT, "0", None, "49"),
        (FLAT, "1", None, "49"),
        (FLAT, "1000000", None, "49"),
        # per_unit
        (TURN, "0", None, "0"),
        (TURN, "1229", None, "61.45"),
        ({"type": "per_unit", "unit_amount": "0.01"}, "572", None, "5.72"),
        ({"type": "per_unit", "unit_amount": "0.99"}, "43", None, "42.57"),
        ({"type": "per_unit", "unit_amount": "0.002"}, "0.74", None, "0.00148"),
        (TOKEN, "22361870", None, "3.3542805"),
        ({"type": "per_unit", "unit_amount": "0.0000006"}, "4088665", None, "2.453199"),
        ({"type": "per_unit", "unit_amount": "0.000000000001"}, "1", None, "0.000000000001"),
        ({"type": "per_unit", "unit_amount": "1000000000000000000"}, "1000000000000000000", None, "1" + "0" * 36),
        ({"type": "per_unit", "unit_amount": "0"}, "7", None, "0"),
        # package: 100 free, then 5 for each 100 begun
        (PACKAGE, "0", None, "0"),
        (PACKAGE, "99.5", None, "0"),
        (PACKAGE, "100", None, "0"),
        (PACKAGE, "100.000001", None, "5"),
        (PACKAGE, "101", None, "5"),
        (PACKAGE, "200", None, "5"),
        (PACKAGE, "200.5", None, "10"),
        (PACKAGE, "300", None, "10"),
        (PACKAGE, "1100", None, "50"),
        (SECONDS, "0", None, "0"),
        (SECONDS, "0.1", None, "0.01"),
        (SECONDS, "0.5", None, "0.01"),
        (SECONDS, "1.01", None, "0.03"),  # 3 halves begun
        # graduated: the first flat amount always, the others once reached
        (GRADUATED, "0", None, "10"),
        (GRADUATED, "0.5", None, "10.5"),
        (GRADUATED, "1", None, "11"),
        (GRADUATED, "10", None, "20"),  # 10 + 10 x 1: the edge belongs to the lower tier
        (GRADUATED, "10.01", None, "25.005"),  # 20 + 5 + 0.01 x 0.5
        (GRADUATED, "11", None, "25.5"),
        (GRADUATED, "20", None, "30"),  # 20 + 5 + 10 x 0.5
        (GRADUATED, "20.5", None, "32.05"),  # 30 + 2 + 0.5 x 0.1
        (GRADUATED, "120", None, "42"),  # 30 + 2 + 100 x 0.1
        ({"type": "graduated", "tiers": ZERO_FREE}, "0", None, "0"),
        ({"type": "graduated", "tiers": ZERO_FREE}, "0.5", None, "20.5"),
        ({"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "3"}]}, "7", None, "21"),
        # volume: all at one tier's price, plus that tier's flat amount only
        (VOLUME, "0", None, "10"),
        (VOLUME, "1", None, "11"),
        (VOLUME, "10", None, "20"),
        (VOLUME, "10.5", None, "10.25"),  # 10.5 x 0.5 + 5
        (VOLUME, "20", None, "15"),
        (VOLUME, "20.5", None, "4.05"),  # 20.5 x 0.1 + 2
        (VOLUME, "1000", None, "102"),
        ({"type": "volume", "tiers": ZERO_FREE}, "0", None, "0"),
        ({"type": "volume", "tiers": ZERO_FREE}, "5", None, "25"),
        # percentage: 2.9 % of what is beyond 100, plus 0.30 an event
        (PERCENTAGE, "0", 0, "0"),
        (PERCENTAGE, "100", 1, "0.3"),
        (PERCENTAGE, "60", 3, "0.9"),  # all of it free, but three events
        (PERCENTAGE, "200", 1, "3.2"),  # 2.9 + 0.3
        (PERCENTAGE, "1234.56", 7, "35.00224"),  # 1134.56 x 0.029 = 32.90224, + 2.1
        ({"type": "percentage", "rate": "2.9"}, "10.01", None, "0.29029"),
        ({"type": "percentage", "rate": "150"}, "10", None, "15"),
        ({"type": "percentage", "rate": "0.000000000001"}, "1", None, "0.00000000000001"),
        # graduated_percentage
        (BANDS, "0", None, "200"),
        (BANDS, "500", None, "205"),  # as Lago's docs have it
        (BANDS, "1000", None, "210"),
        (BANDS, "1050", None, "511"),  # 205 + 306, Lago's first two transactions together
        (BANDS, "10000", None, "690"),  # 200 + 10 + 300 + 180
        (BANDS, "12000.5", None, "1150.015"),  # 690 + 400 + 2000.5 x 0.03
    ],
)
def test_a_model_charges(model: dict[str, object], quantity: str, events: int | None, amount: str) -> None:
    charge = calculate(parse_model(model), Usage(Decimal(quantity), events))
    assert charge.amount == Decimal(amount)
    assert sum(row.amount for row in charge.breakdown) == Decimal(amount)


GPU = {
    "type": "matrix",
    "dimensions": ["model", "region"],
    "cells": [
        {"where": {"model": "a"}, "unit_amount": "1"},
        {"where": {"region": "eu"}, "unit_amount": "2"},
        {"where": {"model": "a", "region": "eu"}, "unit_amount": "3"},
        {"where": {"model": "b", "region": "us"}, "unit_amount": "4"},
    ],
    "default_unit_amount": "9",
}


@pytest.mark.parametrize(
    ("group", "unit_amount"),
    [
        ({"model": "a", "region": "eu"}, "3"),  # names both
        ({"model": "a", "region": "us"}, "1"),
        ({"model": "a"}, "1"),
        ({"model": "a", "region": None}, "1"),
        ({"model": "c", "region": "eu"}, "2"),
        ({"region": "eu"}, "2"),
        ({"model": "b", "region": "us"}, "4"),
        ({"model": "b", "region": "ap"}, "9"),
        ({"model": "A", "region": "EU"}, "9"),  # values are compared as they are
        ({"model": None, "region": None}, "9"),
        ({}, "9"),
        ({"model": "a", "tier": "gold"}, "1"),  # a dimension the matrix does not know
    ],
)
def test_the_cell_that_names_most_prices_a_group(group: dict[str, str | None], unit_amount: str) -> None:
    charge = calculate(parse_model(GPU), Usage.by_group([(group, Decimal("2.5"))]))
    assert charge.amount == Decimal("2.5") * Decimal(unit_amount)
    assert charge.breakdown[0].unit_amount == Decimal(unit_amount)


def test_a_matrix_sums_its_groups_in_order_of_the_groups() -> None:
    usage = Usage.by_group([({"model": "b", "region": "us"}, Decimal(10)), ({"model": "a"}, Decimal("0.5"))])
    charge = calculate(parse_model(GPU), usage)
    assert [(row.group, row.amount) for row in charge.breakdown] == [
        ((("model", "a"),), Decimal("0.5")),
        ((("model", "b"), ("region", "us")), Decimal(40)),
    ]
    assert charge.amount == Decimal("40.5")


def test_a_quantity_without_groups_is_priced_by_the_default() -> None:
    assert calculate(parse_model(GPU), Usage(Decimal(2))).amount == 18


NO_DEFAULT = {key: value for key, value in GPU.items() if key != "default_unit_amount"}


@pytest.mark.parametrize("group", [{"model": "b"}, {"model": "b", "region": "ap"}, {"region": None}, {}])
def test_usage_that_no_cell_names_is_never_free(group: dict[str, str | None]) -> None:
    usage = Usage.by_group([({"model": "a"}, Decimal(1)), (group, Decimal("0.001"))])
    with pytest.raises(UnpricedUsage) as caught:
        calculate(parse_model(NO_DEFAULT), usage)
    assert caught.value.code == "usage_not_priced"
    assert [error.pointer for error in caught.value.errors] == ["/groups/1/group"]


def test_a_quantity_without_groups_is_not_free_either() -> None:
    with pytest.raises(UnpricedUsage):
        calculate(parse_model(NO_DEFAULT), Usage(Decimal(1)))


def test_nothing_used_needs_no_price() -> None:
    assert calculate(parse_model(NO_DEFAULT), Usage(Decimal(0))).amount == 0
    assert calculate(parse_model(NO_DEFAULT), Usage.by_group([({"model": "z"}, Decimal(0))])).breakdown == ()


def test_a_fixed_amount_per_event_needs_the_number_of_events() -> None:
    with pytest.raises(UsageInvalid) as caught:
        calculate(parse_model(PERCENTAGE), Usage(Decimal(200)))
    assert caught.value.errors[0].pointer == "/events"


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("-1", "negative"),
        ("-0.000000000001", "negative"),
        ("NaN", "number_invalid"),
        ("Infinity", "number_invalid"),
        ("1E+400", "out_of_range"),
        ("1000000000000000000.1", "out_of_range"),
        ("1E-31", "too_many_decimals"),
        ("1E-400", "too_many_decimals"),
    ],
)
def test_a_quantity_that_is_none_is_refused(quantity: str, code: str) -> None:
    with pytest.raises(UsageInvalid) as caught:
        Usage(Decimal(quantity))
    assert caught.value.errors[0].code == code


def test_a_float_is_no_quantity() -> None:
    with pytest.raises(TypeError):
        Usage(0.1)


def test_groups_must_sum_to_the_quantity() -> None:
    groups = Usage.by_group([({"model": "a"}, Decimal(2))]).groups
    with pytest.raises(UsageInvalid, match="the groups sum to 2, not to 3"):
        Usage(Decimal(3), groups=groups)


def test_a_breakdown_says_which_units_cost_what() -> None:
    charge = calculate(parse_model(GRADUATED), Usage(Decimal("20.5")))
    assert [row.to_json() for row in charge.breakdown] == [
        {"from": "0", "to": "10", "quantity": "10", "unit_amount": "1", "flat_amount": "10", "amount": "20"},
        {"from": "10", "to": "20", "quantity": "10", "unit_amount": "0.5", "flat_amount": "5", "amount": "10"},
        {"from": "20", "to": "20.5", "quantity": "0.5", "unit_amount": "0.1", "flat_amount": "2", "amount": "2.05"},
    ]


def test_free_units_are_a_row_of_their_own() -> None:
    charge = calculate(parse_model(PACKAGE), Usage(Decimal(201)))
    assert [row.to_json() for row in charge.breakdown] == [
        {"from": "0", "to": "100", "quantity": "100", "unit_amount": "0", "flat_amount": "0", "amount": "0"},
        {"from": "100", "to": "201", "quantity": "101", "unit_amount": None, "flat_amount": "10", "amount": "10"},
    ]


def test_a_quantity_that_is_free_as_a_whole_is_one_row() -> None:
    charge = calculate(parse_model(PACKAGE), Usage(Decimal(100)))
    assert [row.to_json() for row in charge.breakdown] == [
        {"from": "0", "to": "100", "quantity": "100", "unit_amount": "0", "flat_amount": "0", "amount": "0"},
    ]
