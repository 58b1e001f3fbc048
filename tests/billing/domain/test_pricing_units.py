"""Prices in named credits, and usage and credits that grants have paid, worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.calculator import calculate_price
from billing.rating.price_terms import parse_terms
from billing.rating.pricing import PricingModelInvalid, parse_model
from billing.rating.pricing.values import Usage
from billing.rating.rate import PriceTerms, RatedLine, billable_usage, rate
from kernel.errors import InvalidError

CENT = Decimal("0.01")


def terms(model: dict[str, object], **rest: object) -> PriceTerms:
    return PriceTerms(**({"kind": "usage", "model": parse_model(model), "unit_rate": CENT} | rest))


def per_unit(units: str, **rest: object) -> PriceTerms:
    return terms({"type": "per_unit", "unit_amount": units}, **rest)


def shown(line: RatedLine) -> tuple[str, str]:
    return str(line.units), str(line.amount)


GRADUATED = {
    "type": "graduated",
    "tiers": [{"up_to": "100", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1", "flat_amount": "50"}],
}


@pytest.mark.parametrize(
    ("price", "quantity", "options", "expected"),
    [
        # 33 answers at 2 credits, a credit at a cent
        (per_unit("2"), "33", {}, ("66", "0.66")),
        (per_unit("0.5"), "3", {}, ("1.5", "0.02")),  # 1.5 cents, half up
        # tiers are in credits: 100 x 2 + 50 x 1 + 50
        (terms(GRADUATED), "150", {}, ("300", "3.00")),
        # so are a minimum and a maximum
        (per_unit("2", minimum=Decimal(100)), "33", {}, ("100", "1.00")),
        (per_unit("2", maximum=Decimal(50)), "33", {}, ("50", "0.50")),
        (per_unit("2", minimum=Decimal(100)), "33", {"fraction": Fraction(1, 2)}, ("66", "0.66")),
        # included units are of what is counted, and come off first
        (per_unit("2", included=Decimal(30)), "33", {}, ("6", "0.06")),
        # a fee of 25,000 credits for 10 of 31 days: 8,064.516 credits, $80.65
        (
            terms({"type": "flat", "amount": "25000"}, kind="fixed"),
            "1",
            {"fraction": Fraction(10, 31)},
            ("8064.516129032258064516129032", "80.65"),
        ),
        # grants of credits pay after the price is known, before it is money
        (per_unit("2"), "33", {"credits": Decimal(60)}, ("6", "0.06")),
        (per_unit("2"), "33", {"credits": Decimal(100)}, ("0", "0.00")),
        (per_unit("2", minimum=Decimal(100)), "33", {"credits": Decimal(60)}, ("40", "0.40")),
        # grants of what the meter counts pay after what is included: 33 - 10 - 20
        (per_unit("2", included=Decimal(10)), "33", {"prepaid": Decimal(20)}, ("6", "0.06")),
        (per_unit("2", included=Decimal(10)), "33", {"prepaid": Decimal(90)}, ("0", "0.00")),
        # and before the tiers: 110 - 20 = 90 in the first one
        (terms(GRADUATED), "110", {"prepaid": Decimal(20)}, ("180", "1.80")),
    ],
)
def test_a_price_in_credits_comes_to(
    price: PriceTerms, quantity: str, options: dict[str, Decimal], expected: tuple[str, str]
) -> None:
    line = rate(price, Usage(Decimal(quantity)), currency="USD", **options)
    assert shown(line) == expected
    assert sum(row.amount for row in line.breakdown) == line.units
    assert line.quantity == Decimal(quantity)


def test_every_step_of_a_price_in_credits_is_kept() -> None:
    price = per_unit("2", included=Decimal(3))
    line = rate(price, Usage(Decimal(33)), currency="USD", prepaid=Decimal(5), credits=Decimal(8))
    assert [(step.kind, step.setting, str(step.before), str(step.after)) for step in line.steps] == [
        ("included", "3", "33", "30"),
        ("prepaid", "5", "30", "25"),
        ("pricing", "per_unit", "25", "50"),
        ("credits", "8", "50", "42"),
        ("conversion", "0.01", "42", "0.42"),
        ("rounding", "USD", "0.42", "0.42"),
    ]
    assert line.breakdown[-1].to_json() | {"from": "", "to": ""} == {
        "from": "",
        "to": "",
        "quantity": "0",
        "unit_amount": None,
        "flat_amount": "-8",
        "amount": "-8",
        "reason": "credits",
    }


def test_prepaid_units_of_a_price_in_money_come_off_its_quantity() -> None:
    price = PriceTerms("usage", parse_model({"type": "per_unit", "unit_amount": "0.05"}))
    line = rate(price, Usage(Decimal(100)), currency="USD", prepaid=Decimal(60), credits=Decimal(9))
    assert (line.units, str(line.amount)) == (None, "2.00")  # 40 x 0.05: credits of a unit it has not got pay nothing


def test_what_a_grant_may_pay_is_what_is_beyond_the_included_units() -> None:
    price = per_unit("2", included=Decimal(100))
    assert billable_usage(price, Usage(Decimal(130))).quantity == 30
    assert billable_usage(price, Usage(Decimal(130)), fraction=Fraction(1, 2)).quantity == 80
    assert billable_usage(price, Usage(Decimal(20))).quantity == 0


@given(st.decimals(0, 10_000, places=3), st.decimals(0, 20_000, places=3), st.decimals(0, 10_000, places=3))
def test_credits_never_pay_more_than_the_price_and_the_rest_is_charged(
    quantity: Decimal, credits: Decimal, prepaid: Decimal
) -> None:
    whole = rate(terms(GRADUATED), Usage(quantity), currency="USD", prepaid=prepaid)
    paid = rate(terms(GRADUATED), Usage(quantity), currency="USD", prepaid=prepaid, credits=credits)
    assert whole.units is not None
    assert paid.units is not None
    assert paid.units == max(whole.units - credits, 0)
    assert paid.amount_exact == paid.units * CENT


def test_the_calculator_shows_credits_and_money() -> None:
    answer = calculate_price(
        {
            "currency": "USD",
            "model": {"type": "per_unit", "unit_amount": "2"},
            "quantity": "33",
            "pricing_unit": {"rate": "0.01"},
        }
    )
    assert (answer["units"], answer["amount"], answer["rounded"]) == ("66", "0.66", "0.66")
    assert "units" not in calculate_price(
        {"currency": "USD", "model": {"type": "per_unit", "unit_amount": "2"}, "quantity": "33"}
    )


@pytest.mark.parametrize(
    ("unit", "pointer", "code"),
    [
        ("credits", "/pricing_unit", "object_expected"),
        ({}, "/pricing_unit/rate", "required"),
        ({"rate": "0"}, "/pricing_unit/rate", "not_positive"),
        ({"rate": "-1"}, "/pricing_unit/rate", "negative"),
        ({"rate": 0.01}, "/pricing_unit/rate", "float_not_exact"),
        ({"rate": "0.01", "name": "x"}, "/pricing_unit/name", "unknown_field"),
    ],
)
def test_a_pricing_unit_that_is_none_is_refused(unit: object, pointer: str, code: str) -> None:
    model = {"type": "per_unit", "unit_amount": "2"}
    with pytest.raises(InvalidError) as refused:
        calculate_price({"currency": "USD", "model": model, "quantity": "1", "pricing_unit": unit})
    assert (pointer, code) in [(error.pointer, error.code) for error in refused.value.errors]
    assert not isinstance(refused.value, PricingModelInvalid)


def test_the_terms_of_a_price_take_a_pricing_unit() -> None:
    value = {"kind": "fixed", "model": {"type": "flat", "amount": "1"}}
    assert parse_terms(value | {"pricing_unit": {"rate": "0.01"}}).unit_rate == CENT
    assert parse_terms(value | {"pricing_unit": None}).unit_rate is None
