"""The price calculator's request and answer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.rating.calculator import CalculationInvalid, calculate_price
from billing.rating.pricing import PricingModelInvalid
from billing.rating.pricing.exact import AmountOutOfRange
from billing.rating.pricing.values import UnpricedUsage, UsageInvalid

PER_UNIT = {"type": "per_unit", "unit_amount": "0.04"}
MATRIX = {"type": "matrix", "dimensions": ["a"], "cells": [{"where": {"a": "x"}, "unit_amount": "0.1"}]}

LONGEST = "9" * 18 + "." + "9" * 30  # 48 digits


def body(**rest: object) -> dict[str, object]:
    return {"currency": "USD", "model": PER_UNIT, "quantity": "1229", **rest}


def test_an_answer_has_the_exact_and_the_rounded_amount_and_the_way_there() -> None:
    assert calculate_price(body(model={"type": "per_unit", "unit_amount": "0.00005"}, included="29", maximum="10")) == {
        "currency": "USD",
        "amount": "0.06",
        "rounded": "0.06",
        "breakdown": [
            {
                "from": "0",
                "to": "1200",
                "quantity": "1200",
                "unit_amount": "0.00005",
                "flat_amount": "0",
                "amount": "0.06",
            }
        ],
        "steps": [
            {"kind": "included", "setting": "29", "before": "1229", "after": "1200"},
            {"kind": "pricing", "setting": "per_unit", "before": "1200", "after": "0.06"},
            {"kind": "maximum", "setting": "10", "before": "0.06", "after": "0.06"},
            {"kind": "rounding", "setting": "USD", "before": "0.06", "after": "0.06"},
        ],
    }


@pytest.mark.parametrize(
    ("request_body", "amount", "rounded"),
    [
        (body(), "49.16", "49.16"),
        (body(quantity=1229), "49.16", "49.16"),
        (body(quantity="0"), "0", "0.00"),
        (body(quantity="0.00000001"), "0.0000000004", "0.00"),
        (body(quantity="1000000000000000000"), "40000000000000000", "40000000000000000.00"),
        (body(quantity=LONGEST, model={"type": "per_unit", "unit_amount": 1}), LONGEST, "1" + "0" * 18 + ".00"),
        (
            body(quantity=LONGEST, model={"type": "package", "package_size": "0.000000000001", "package_amount": "1"}),
            "1" + "0" * 30,
            "1" + "0" * 30 + ".00",
        ),
        (body(minimum="50"), "50", "50.00"),
        (body(maximum="0.005"), "0.005", "0.01"),
        (body(currency="JPY"), "49.16", "49"),
        (body(currency="KWD"), "49.16", "49.160"),
        (body(included=None, minimum=None, maximum=None, events=None, groups=None), "49.16", "49.16"),
        (body(model={"type": "percentage", "rate": "2", "fixed_amount": "0.1"}, events=3), "24.88", "24.88"),
        (body(model={"type": "percentage", "rate": "2", "fixed_amount": "0.1"}, events="3"), "24.88", "24.88"),
        ({"currency": "USD", "model": MATRIX, "groups": [{"group": {"a": "x"}, "quantity": "2.5"}]}, "0.25", "0.25"),
        (
            {"currency": "USD", "model": MATRIX, "groups": [{"group": {"a": "x", "b": None}, "quantity": 1}]},
            "0.1",
            "0.10",
        ),
        ({"currency": "USD", "model": PER_UNIT, "groups": [{"group": {}, "quantity": 100}]}, "4", "4.00"),
    ],
)
def test_a_price_is_calculated(request_body: dict[str, object], amount: str, rounded: str) -> None:
    answer = calculate_price(request_body)
    assert (answer["amount"], answer["rounded"]) == (amount, rounded)


def test_rows_name_their_group_or_the_reason_for_them() -> None:
    answer = calculate_price(
        {"currency": "USD", "model": MATRIX, "groups": [{"group": {"a": "x"}, "quantity": "1"}], "minimum": "1"}
    )
    assert answer["breakdown"] == [
        {
            "from": "0",
            "to": "1",
            "quantity": "1",
            "unit_amount": "0.1",
            "flat_amount": "0",
            "amount": "0.1",
            "group": {"a": "x"},
        },
        {
            "from": "1",
            "to": "1",
            "quantity": "0",
            "unit_amount": None,
            "flat_amount": "0.9",
            "amount": "0.9",
            "reason": "minimum",
        },
    ]


@pytest.mark.parametrize(
    ("request_body", "pointer", "code"),
    [
        ([], "", "object_expected"),
        ({"model": PER_UNIT, "quantity": "1"}, "/currency", "required"),
        (body(currency="usd"), "/currency", "currency_invalid"),
        (body(currency="USD\n"), "/currency", "currency_invalid"),
        (body(currency=5), "/currency", "currency_invalid"),
        ({"currency": "USD", "model": PER_UNIT}, "/quantity", "required"),
        ({"currency": "USD", "model": PER_UNIT, "groups": []}, "/quantity", "required"),
        (body(quantity=1.5), "/quantity", "float_not_exact"),
        (body(quantity="-1"), "/quantity", "negative"),
        (body(quantity="1E+400"), "/quantity", "number_invalid"),
        (body(quantity="0." + "1" * 31), "/quantity", "too_many_decimals"),
        (body(events=-1), "/events", "negative"),
        (body(events="1.5"), "/events", "too_many_decimals"),
        (body(events=True), "/events", "number_invalid"),
        (body(groups={}), "/groups", "list_expected"),
        (body(groups=[5]), "/groups/0", "object_expected"),
        (body(groups=[{"quantity": "1"}]), "/groups/0/group", "required"),
        (body(groups=[{"group": [], "quantity": "1"}]), "/groups/0/group", "object_expected"),
        (body(groups=[{"group": {"a": 1}, "quantity": "1"}]), "/groups/0/group/a", "text_invalid"),
        (body(groups=[{"group": {"": "x"}, "quantity": "1"}]), "/groups/0/group/", "text_invalid"),
        (body(groups=[{"group": {"a": "\ud800"}, "quantity": "1"}]), "/groups/0/group/a", "text_invalid"),
        (body(groups=[{"group": {}, "quantity": "-1"}]), "/groups/0/quantity", "negative"),
        (body(groups=[{"group": {}, "quantity": "1", "cost": 1}]), "/groups/0/cost", "unknown_field"),
        (body(groups=[{"group": {}, "quantity": "1"}] * 10_001), "/groups", "too_many"),
        (body(minimum="2", maximum="1"), "/minimum", "minimum_above_maximum"),
        (body(included="x"), "/included", "number_invalid"),
        (body(prorate=True), "/prorate", "unknown_field"),
        (body(models=1), "/models", "unknown_field"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(request_body: object, pointer: str, code: str) -> None:
    with pytest.raises((CalculationInvalid, PricingModelInvalid)) as caught:
        calculate_price(request_body)
    assert (pointer, code) in [(error.pointer, error.code) for error in caught.value.errors]


def test_a_wrong_model_is_named_as_such_with_pointers_into_the_body() -> None:
    with pytest.raises(PricingModelInvalid) as caught:
        calculate_price(body(model={"type": "per_unit", "unit_amount": 0.04}))
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/model/unit_amount", "float_not_exact")]


def test_usage_that_cannot_be_priced_is_refused() -> None:
    with pytest.raises(UnpricedUsage) as unpriced:
        calculate_price({"currency": "USD", "model": MATRIX, "groups": [{"group": {"a": "y"}, "quantity": "1"}]})
    assert [error.pointer for error in unpriced.value.errors] == ["/groups/0/group"]
    with pytest.raises(UsageInvalid) as sum_wrong:
        calculate_price(body(model=MATRIX, groups=[{"group": {"a": "x"}, "quantity": "1"}]))
    assert sum_wrong.value.errors[0].code == "groups_do_not_sum"
    half = {"group": {"a": "x"}, "quantity": "600000000000000000"}
    with pytest.raises(UsageInvalid) as too_much:
        calculate_price({"currency": "USD", "model": MATRIX, "groups": [half, half]})
    assert too_much.value.errors[0].code == "out_of_range"
    with pytest.raises(AmountOutOfRange):
        calculate_price(body(model={"type": "per_unit", "unit_amount": "1.234567890123"}, quantity=LONGEST))


def test_what_is_answered_is_a_number_again() -> None:
    answer = calculate_price(body(quantity="1000000000000000000", model={"type": "per_unit", "unit_amount": 10**18}))
    assert answer["amount"] == "1" + "0" * 36
    assert Decimal(str(answer["rounded"])) == Decimal(10) ** 36
