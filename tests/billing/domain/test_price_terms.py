"""Reading what of a price decides an amount."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.rating.price_terms import PriceInvalid, parse_terms
from billing.rating.pricing import PricingModelInvalid
from billing.rating.pricing.flat import Flat
from billing.rating.pricing.per_unit import PerUnit
from billing.rating.rate import PriceTerms

PER_UNIT = {"type": "per_unit", "unit_amount": "2"}
MATRIX = {"type": "matrix", "dimensions": ["a"], "cells": [{"where": {"a": "x"}, "unit_amount": "1"}]}


def test_a_price_is_read() -> None:
    price = {"kind": "seat", "model": PER_UNIT, "included": "3", "minimum": "1", "maximum": "9", "prorate": False}
    assert parse_terms(price) == PriceTerms(
        "seat", PerUnit(Decimal(2)), Decimal(3), minimum=Decimal(1), maximum=Decimal(9), prorate=False
    )


def test_what_a_price_does_not_say_does_not_apply() -> None:
    price = {"kind": "fixed", "model": {"type": "flat", "amount": "49"}, "included": None, "minimum": None}
    assert parse_terms(price) == PriceTerms("fixed", Flat(Decimal(49)))


def test_a_minimum_may_be_the_maximum() -> None:
    terms = parse_terms({"kind": "usage", "model": PER_UNIT, "minimum": "5", "maximum": "5.0"})
    assert terms.minimum == terms.maximum == 5


@pytest.mark.parametrize(
    ("price", "pointer", "code"),
    [
        (None, "", "object_expected"),
        ({"model": PER_UNIT}, "/kind", "required"),
        ({"kind": "weekly", "model": PER_UNIT}, "/kind", "unknown_kind"),
        ({"kind": [], "model": PER_UNIT}, "/kind", "unknown_kind"),
        ({"kind": "usage", "model": PER_UNIT, "prorate": "yes"}, "/prorate", "boolean_expected"),
        ({"kind": "usage", "model": PER_UNIT, "prorate": None}, "/prorate", "boolean_expected"),
        ({"kind": "usage", "model": PER_UNIT, "meter": "turns"}, "/meter", "unknown_field"),
        ({"kind": "usage", "model": PER_UNIT, "included": -1}, "/included", "negative"),
        ({"kind": "usage", "model": PER_UNIT, "included": 0.5}, "/included", "float_not_exact"),
        ({"kind": "usage", "model": PER_UNIT, "minimum": "2", "maximum": "1"}, "/minimum", "minimum_above_maximum"),
        ({"kind": "fixed", "model": PER_UNIT, "included": "1"}, "/included", "not_applicable"),
    ],
)
def test_a_price_that_is_not_understood_is_refused(price: object, pointer: str, code: str) -> None:
    with pytest.raises(PriceInvalid) as caught:
        parse_terms(price)
    assert (pointer, code) in [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("price", "pointer", "code"),
    [
        ({"kind": "usage"}, "/model", "required"),
        ({"kind": "usage", "model": {"type": "flat"}}, "/model/amount", "required"),
        ({"kind": "usage", "model": {"type": "flat", "amount": 1.5}}, "/model/amount", "float_not_exact"),
        ({"kind": "fixed", "model": MATRIX}, "/model", "model_needs_usage"),
        ({"kind": "seat", "model": {"type": "percentage", "rate": "2"}}, "/model", "model_needs_usage"),
    ],
)
def test_a_model_at_fault_is_named_as_such(price: object, pointer: str, code: str) -> None:
    with pytest.raises(PricingModelInvalid) as caught:
        parse_terms(price)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [(pointer, code)]
