"""One way to write an amount, at every endpoint; and no more digits than its currency has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kernel.money import excess_digits, plain_decimal_from
from tests.api import Api
from tests.rest.openapi import body_schema, call, operations, resolved

_NOT_PLAIN = ["1e0", " 1 ", "1 ", "+1", ".5", "5.", "1,5", "1_0", "٣", "NaN", "", "0x1", "1\n", 1.5, True, [], {}]


@pytest.mark.parametrize("value", _NOT_PLAIN, ids=repr)
def test_other_notations_are_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        plain_decimal_from(Decimal(str(value)) if isinstance(value, float) else value)


@pytest.mark.parametrize(("value", "number"), [("12.34", "12.34"), ("-0.50", "-0.50"), (7, "7"), ("007", "7")])
def test_plain_notation_is_exact(value: Any, number: str) -> None:
    assert str(plain_decimal_from(value)) == number


def test_every_decimal_field_of_the_api_takes_plain_notation_only(api: Api) -> None:
    fields = [
        (method, path, name)
        for method, path in operations()
        if (schema := body_schema(method, path))
        for name, field in resolved(schema).get("properties", {}).items()
        if resolved(field).get("format") == "decimal"
    ]
    assert ("post", "/api/v1/invoices/{invoice}/pay", "amount") in fields
    wrong = {}
    for method, path, name in fields:
        for value in ("1e0", " 1 ", "+1", 1.5):
            answer = call(api, method, path, body={name: value})
            found = {(each["pointer"], each["code"]) for each in answer.json().get("errors", ())}
            if answer.status_code != 422 or (f"/{name}", "invalid") not in found:
                wrong[f"{method} {path} {name} {value!r}"] = answer.content
    assert wrong == {}


@pytest.mark.parametrize(
    ("amount", "currency", "says"),
    [
        ("10.5", "JPY", "JPY has no decimals. Enter a whole amount"),
        ("0.001", "USD", "USD has 2 decimals. Enter at most 2 digits after the point"),
        ("0.0001", "KWD", "KWD has 3 decimals. Enter at most 3 digits after the point"),
        ("10.0", "JPY", None),
        ("0.0100", "USD", None),
        ("0.001", "KWD", None),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(amount: str, currency: str, says: str | None) -> None:
    assert excess_digits(Decimal(amount), currency) == says


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "10.5"), ("USD", "0.001"), ("USD", "-0.001")])
def test_charges_and_credit_have_the_digits_of_their_currency(api: Api, currency: str, amount: str) -> None:
    api.customer("acme", currency=currency)
    charge = {"customer": "acme", "description": "Set-up", "amount": amount}
    grant = {"customer": "acme", "name": "Trial", "currency": currency, "amount": amount}
    transfer = {"reference": "T1", "amount": amount, "currency": currency, "received_at": "2026-10-01T00:00:00Z"}
    for path, body in (("charges", charge), ("credit_grants", grant), ("bank_transfers", transfer)):
        answer = api.post(path, body)
        assert answer.status_code == 422, (path, answer.content)
    assert api.get("charges").json()["data"] == []


def test_a_charge_never_rounds_to_nothing(api: Api) -> None:
    api.customer("acme", currency="USD")
    body = {"customer": "acme", "description": "Bytes", "quantity": "4", "unit_amount": "0.001"}
    assert api.post("charges", body).json()["errors"][0]["code"] == "rounds_to_zero"
    assert api.post("charges", body | {"quantity": "5"}).json()["amount"] == "0.01"


def _points(value: Any) -> list[Any]:
    """`value` as often as it holds numbers in text, each time with one of them as a JSON number with a point."""
    if isinstance(value, str):
        return [float(value) + 0.5] if value.isdigit() else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, item in items:
        for changed in _points(item):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[key] = changed
            found.append(copy)
    return found


def test_prices_take_no_json_number_with_a_point_anywhere(api: Api) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"a": "data.a"})
    limits = {"included": "1", "minimum": "1", "maximum": "9"}
    tiers = [{"up_to": "5", "unit_amount": "1", "flat_amount": "2"}, {"up_to": None, "unit_amount": "3"}]
    rates = [{"up_to": "5", "rate": "1"}, {"up_to": None, "rate": "3"}]
    models: list[dict[str, Any]] = [
        {"type": "flat", "amount": "1"},
        {"type": "per_unit", "unit_amount": "1"},
        {"type": "package", "package_amount": "1", "package_size": "5", "free_units": "2"},
        {"type": "graduated", "tiers": tiers},
        {"type": "volume", "tiers": tiers},
        {"type": "percentage", "rate": "1", "free_units": "1", "fixed_amount": "1"},
        {"type": "graduated_percentage", "tiers": rates},
        {"type": "matrix", "dimensions": ["a"], "cells": [{"where": {"a": "x"}, "unit_amount": "1"}],
         "default_unit_amount": "1"},
    ]  # fmt: skip
    price = {"key": "turns", "kind": "usage", "meter": "turns"}
    wrong = []
    for body in [changed for model in models for changed in _points({"model": model} | limits)]:
        plan = {"key": "points", "currency": "USD", "prices": [price | body]}
        answers = {
            "plans": api.post("plans", plan),
            "calculate": api.post("pricing/calculate", {"currency": "USD", "quantity": "1"} | body),
        }
        for path, answer in answers.items():
            if "float_not_exact" not in [one["code"] for one in answer.json().get("errors", ())]:
                wrong.append((path, body, answer.content))
    assert wrong == []
    assert api.get("plans").json()["data"] == []
