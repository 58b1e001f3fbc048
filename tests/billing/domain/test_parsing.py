"""A pricing model that is not understood is refused, with where and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.rating.pricing import PricingModelInvalid, parse_model
from billing.rating.pricing.flat import Flat
from billing.rating.pricing.reading import ObjectReader, Problems
from kernel.errors import InvalidError


def tiers(*up_to: object, kind: str = "graduated") -> dict[str, object]:
    return {"type": kind, "tiers": [{"up_to": edge, "unit_amount": "1"} for edge in up_to]}


def matrix(*where: object, dimensions: object = ("a", "b", "c"), **rest: object) -> dict[str, object]:
    cells = [{"where": some, "unit_amount": "1"} for some in where]
    return {"type": "matrix", "dimensions": dimensions, "cells": cells, **rest}


def flat(amount: object) -> dict[str, object]:
    return {"type": "flat", "amount": amount}


@pytest.mark.parametrize(
    ("model", "pointer", "code"),
    [
        (None, "", "object_expected"),
        ([], "", "object_expected"),
        ("flat", "", "object_expected"),
        ({}, "/type", "required"),
        ({"type": None}, "/type", "unknown_model_type"),
        ({"type": ["flat"]}, "/type", "unknown_model_type"),
        ({"type": "Flat", "amount": "1"}, "/type", "unknown_model_type"),
        ({"type": "flat"}, "/amount", "required"),
        ({"type": "flat", "amount": "1", "currency": "USD"}, "/currency", "unknown_field"),
        ({"type": "flat", "amount": "1", "a/b~c": 1}, "/a~1b~0c", "unknown_field"),
        ({"type": "flat", "amount": "1", "\ud800": 1}, "/\\ud800", "unknown_field"),
        ({"type": "per_unit", "amount": "1"}, "/amount", "unknown_field"),
        ({"type": "per_unit", "unit_amount": "1", "free_units": "1"}, "/free_units", "unknown_field"),
        ({"type": "package", "package_size": "0", "package_amount": "1"}, "/package_size", "not_positive"),
        ({"type": "package", "package_size": "-1", "package_amount": "1"}, "/package_size", "negative"),
        ({"type": "package", "package_size": "1"}, "/package_amount", "required"),
        ({"type": "percentage", "rate": "-1"}, "/rate", "negative"),
        ({"type": "graduated"}, "/tiers", "required"),
        ({"type": "graduated", "tiers": {}}, "/tiers", "list_expected"),
        ({"type": "graduated", "tiers": []}, "/tiers", "empty"),
        ({"type": "graduated", "tiers": ["1"]}, "/tiers/0", "object_expected"),
        ({"type": "graduated", "tiers": [{"unit_amount": "1"}]}, "/tiers/0/up_to", "required"),
        ({"type": "graduated", "tiers": [{"up_to": None}]}, "/tiers/0/unit_amount", "required"),
        ({"type": "graduated", "tiers": [{"up_to": None, "rate": "1"}]}, "/tiers/0/rate", "unknown_field"),
        ({"type": "graduated_percentage", "tiers": [{"up_to": None, "rate": 0.5}]}, "/tiers/0/rate", "float_not_exact"),
        (tiers("5"), "/tiers/0/up_to", "last_tier_not_open"),
        (tiers("5", "10", kind="volume"), "/tiers/1/up_to", "last_tier_not_open"),
        (tiers(None, "10"), "/tiers/0/up_to", "open_tier_not_last"),
        (tiers(None, None), "/tiers/0/up_to", "open_tier_not_last"),
        (tiers("5", "5", None), "/tiers/1/up_to", "tiers_not_ascending"),
        (tiers("10", "5", None, kind="volume"), "/tiers/1/up_to", "tiers_not_ascending"),
        (tiers("-1", None), "/tiers/0/up_to", "negative"),
        (tiers(*range(1, 1001), None), "/tiers", "too_many"),
        (matrix({"d": "x"}), "/cells/0/where/d", "unknown_dimension"),
        (matrix({}), "/cells/0/where", "empty"),
        (matrix([]), "/cells/0/where", "object_expected"),
        (matrix({"a": None}), "/cells/0/where/a", "text_invalid"),
        (matrix({"a": 1}), "/cells/0/where/a", "text_invalid"),
        (matrix({"a": ""}), "/cells/0/where/a", "text_invalid"),
        (matrix({"a": "x" * 201}), "/cells/0/where/a", "text_invalid"),
        (matrix({"a": "\x00"}), "/cells/0/where/a", "text_invalid"),
        (matrix({"a": "\udfff"}), "/cells/0/where/a", "text_invalid"),
        (matrix({"a": "x"}, {"a": "x"}), "/cells/1/where", "duplicate_cell"),
        (matrix({"a": "x", "b": "y"}, {"b": "y", "a": "x"}), "/cells/1/where", "duplicate_cell"),
        (matrix({"a": "x"}, {"b": "y"}), "/cells/1", "ambiguous_cell"),
        (matrix({"a": "x"}, {"b": "y"}, {"a": "x", "b": "z"}), "/cells/1", "ambiguous_cell"),
        (matrix({"a": "x", "b": "y"}, {"b": "y", "c": "z"}), "/cells/1", "ambiguous_cell"),
        (matrix({"a": "x"}, dimensions=[]), "/dimensions", "empty"),
        (matrix({"a": "x"}, dimensions="a"), "/dimensions", "list_expected"),
        (matrix({"a": "x"}, dimensions=["a", "a"]), "/dimensions/1", "duplicate_dimension"),
        (matrix({"a": "x"}, dimensions=["a", 5]), "/dimensions/1", "text_invalid"),
        (matrix({"a": "x"}, dimensions=list("abcdefghi")), "/dimensions", "too_many"),
        (matrix(), "", "unpriceable"),
        (matrix(default_unit_amount=None), "", "unpriceable"),
        (matrix({"a": "x"}, default_unit_amount=1.5), "/default_unit_amount", "float_not_exact"),
        ({"type": "matrix", "dimensions": ["a"], "default_unit_amount": "1"}, "/cells", "required"),
        ({"type": "matrix", "dimensions": ["a"], "cells": [{"where": {"a": "x"}}]}, "/cells/0/unit_amount", "required"),
        ({"type": "matrix", "dimensions": ["a"], "cells": [{"unit_amount": "1"}]}, "/cells/0/where", "required"),
    ],
)
def test_a_model_that_is_not_understood_is_refused(model: object, pointer: str, code: str) -> None:
    with pytest.raises(PricingModelInvalid) as caught:
        parse_model(model)
    assert caught.value.code == "pricing_model_invalid"
    assert isinstance(caught.value, InvalidError)
    assert (pointer, code) in [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (0.1, "float_not_exact"),
        (1.0, "float_not_exact"),
        (float("nan"), "float_not_exact"),
        (None, "number_invalid"),
        (True, "number_invalid"),
        ([], "number_invalid"),
        ("", "number_invalid"),
        (" 1", "number_invalid"),
        ("1 ", "number_invalid"),
        ("1\n", "number_invalid"),
        ("+1", "number_invalid"),
        (".5", "number_invalid"),
        ("5.", "number_invalid"),
        ("1,5", "number_invalid"),
        ("1_000", "number_invalid"),
        ("0x10", "number_invalid"),
        ("1e3", "number_invalid"),
        ("1E+400", "number_invalid"),
        ("1E-400", "number_invalid"),
        ("NaN", "number_invalid"),
        ("Infinity", "number_invalid"),
        ("-Infinity", "number_invalid"),
        ("٣", "number_invalid"),  # a digit, but not an ASCII one
        ("½", "number_invalid"),
        pytest.param("9" * 1_000_000, "number_invalid", id="a million digits"),
        ("9" * 40, "out_of_range"),
        ("1000000000000000000.1", "out_of_range"),
        (10**18 + 1, "out_of_range"),
        pytest.param(10**5000, "out_of_range", id="10 to the 5000"),
        pytest.param(-(10**5000), "negative", id="minus 10 to the 5000"),
        ("-0.01", "negative"),
        (-1, "negative"),
        ("0.0000000000001", "too_many_decimals"),
        # As a request's 0.1 is read: a number with a point is a Decimal there.
        (Decimal("0.1"), "float_not_exact"),
        (Decimal("1E+400"), "float_not_exact"),
    ],
)
def test_a_number_that_is_none_is_refused(number: object, code: str) -> None:
    with pytest.raises(PricingModelInvalid) as caught:
        parse_model(flat(number))
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/amount", code)]


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("007.50", "7.5"),
        (12, "12"),
        ("1000000000000000000", "1000000000000000000"),
        ("0.000000000001", "0.000000000001"),
        ("0.1000000000000000", "0.1"),  # zeros at the end are no decimal places
    ],
)
def test_plain_numbers_are_taken_and_written_canonically(number: object, amount: str) -> None:
    assert parse_model(flat(number)).to_json() == {"type": "flat", "amount": amount}


@pytest.mark.parametrize(
    "model",
    [
        matrix({"a": "x"}, {"a": "y"}),
        matrix({"a": "x"}, {"b": "y"}, {"a": "x", "b": "y"}),  # the third decides where both match
        matrix({"a": "x", "b": "y"}, {"b": "z", "c": "z"}),  # never both
        matrix({"a": "x", "b": "y"}, {"b": "y", "c": "z"}, {"a": "x", "b": "y", "c": "z"}),
        matrix({"a": "x"}, {"a": "x", "b": "y"}, {"a": "x", "b": "y", "c": "z"}),
        # the third names more than either, though not all that both name
        matrix({"a": "x", "b": "x"}, {"c": "x", "d": "x"}, {"a": "x", "b": "x", "c": "x"}, dimensions=list("abcd")),
        matrix(default_unit_amount="1"),
        matrix({"a": "x"}, default_unit_amount=None),
        tiers("0", "0.000000000001", None),
        tiers(None, kind="volume"),
    ],
)
def test_a_model_that_leaves_nothing_open_is_taken(model: dict[str, object]) -> None:
    parsed = parse_model(model)
    assert parse_model(parsed.to_json()) == parsed


@pytest.mark.parametrize(
    ("model", "canonical"),
    [
        (
            {"package_amount": "5.00", "package_size": 100, "type": "package"},
            {"type": "package", "package_size": "100", "package_amount": "5", "free_units": "0"},
        ),
        (
            {"type": "percentage", "rate": "2.90"},
            {"type": "percentage", "rate": "2.9", "fixed_amount": "0", "free_units": "0"},
        ),
        (
            {"type": "volume", "tiers": [{"unit_amount": "1.0", "up_to": None}]},
            {"type": "volume", "tiers": [{"up_to": None, "unit_amount": "1", "flat_amount": "0"}]},
        ),
        (
            {"type": "graduated_percentage", "tiers": [{"rate": "1.0", "up_to": None}]},
            {"type": "graduated_percentage", "tiers": [{"up_to": None, "rate": "1", "flat_amount": "0"}]},
        ),
        (
            matrix({"b": "y", "a": "x"}, default_unit_amount="2.0", dimensions=["a", "b"]),
            {
                "type": "matrix",
                "dimensions": ["a", "b"],
                "cells": [{"where": {"a": "x", "b": "y"}, "unit_amount": "1"}],
                "default_unit_amount": "2",
            },
        ),
    ],
)
def test_a_model_has_one_canonical_form(model: dict[str, object], canonical: dict[str, object]) -> None:
    assert parse_model(model).to_json() == canonical


def test_everything_wrong_is_said_at_once() -> None:
    model = {"type": "graduated", "tiers": [{"up_to": "x", "unit_amount": 0.1}, {"up_to": None}], "color": "red"}
    with pytest.raises(PricingModelInvalid) as caught:
        parse_model(model)
    assert [error.pointer for error in caught.value.errors] == [
        "/color",
        "/tiers/0/up_to",
        "/tiers/0/unit_amount",
        "/tiers/1/unit_amount",
    ]


def test_a_flood_of_mistakes_is_cut_short() -> None:
    model: dict[str, Any] = {"type": "flat", "amount": "1", **{f"key{number}": 1 for number in range(5000)}}
    with pytest.raises(PricingModelInvalid) as caught:
        parse_model(model)
    assert len(caught.value.errors) == 20


def test_a_large_matrix_without_contradictions_is_checked_in_no_time() -> None:
    by_model = [{"a": f"m{number}"} for number in range(30)]
    by_region = [{"b": f"r{number}"} for number in range(30)]
    both = [{**one, **other} for one in by_model for other in by_region]
    assert parse_model(matrix(*by_model, *by_region, *both)).to_json()["type"] == "matrix"


def test_a_reader_gives_something_even_where_there_is_nothing() -> None:
    problems = Problems()
    assert ObjectReader(5, problems).price("amount") == 0
    assert [error.code for error in problems.errors] == ["object_expected"]


def test_a_model_is_a_value() -> None:
    assert parse_model(flat("1.50")) == Flat(Decimal("1.5"))
    assert len({parse_model(flat("1.50")), parse_model(flat("1.5"))}) == 1
