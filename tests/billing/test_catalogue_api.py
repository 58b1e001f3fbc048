from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api

FLAT = {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "49.00"}}
TURNS = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.05"}}
Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("price", "pointer", "code"),
    [
        (TURNS | {"meter": "nope"}, "/prices/0/meter", "meter_not_found"),
        (TURNS | {"meter": None}, "/prices/0/meter", "required"),
        (FLAT | {"meter": "turns"}, "/prices/0/meter", "not_applicable"),
        (TURNS | {"filter": {"model": "x"}}, "/prices/0/filter", "dimension_unknown"),
        (TURNS | {"bill": "in_advance"}, "/prices/0/bill", "usage_in_advance"),
        (TURNS | {"model": {"type": "secret"}}, "/prices/0/model/type", "unknown_model_type"),
        (TURNS | {"model": {"type": "per_unit"}}, "/prices/0/model/unit_amount", "required"),
        (
            TURNS | {"model": {"type": "matrix", "dimensions": ["region"], "cells": [], "default_unit_amount": "1"}},
            "/prices/0/model/dimensions",
            "dimension_unknown",
        ),
        (FLAT | {"kind": "gift"}, "/prices/0/kind", "unknown_kind"),
    ],
)
def test_a_price_nobody_can_compute_is_refused_with_a_pointer(
    vendor: Api, price: dict[str, Any], pointer: str, code: str
) -> None:
    answer = vendor.post("plans", {"key": "p", "currency": "USD", "prices": [price]})
    assert answer.status_code == 422, answer.content
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert vendor.get("plans/p").status_code == 404


def test_a_plan_is_shown_as_it_was_made_and_its_versions_stay(vendor: Api, subscribe: Make) -> None:
    made = vendor.post("plans", {"key": "p", "name": "Plan", "currency": "USD", "prices": [FLAT]}).json()
    assert (made["version"], made["prices"][0]["model"]) == (1, {"type": "flat", "amount": "49"})
    subscription = subscribe("acme", "p")
    newer = vendor.post("plans/p/versions", {"prices": [FLAT | {"model": {"type": "flat", "amount": "59"}}]})
    assert (newer.status_code, newer.json()["version"]) == (201, 2)
    assert vendor.get(f"subscriptions/{subscription}").json()["plan_version"] == 1
    shown = vendor.get("plans/p").json()
    assert [v["prices"][0]["model"]["amount"] for v in shown["versions"]] == ["49", "59"]
    taken = vendor.post("plans", {"key": "p", "currency": "USD", "prices": [FLAT]})
    assert (taken.status_code, taken.json()["code"]) == (409, "key_taken")


def test_a_price_written_as_a_json_number_with_a_point_is_refused(vendor: Api) -> None:
    body = b'{"key":"p","currency":"USD","prices":[{"key":"t","kind":"usage","meter":"turns","model":'
    body += b'{"type":"per_unit","unit_amount":0.050000000001}}]}'
    refused = vendor.post("plans", body)
    assert refused.status_code == 422
    assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [
        ("/prices/0/model/unit_amount", "float_not_exact")
    ]


def test_a_subscription_needs_what_its_plan_needs(vendor: Api) -> None:
    vendor.customer("acme", currency="EUR")
    vendor.customer("globex")
    cases = [
        ({"customer": "acme", "plan": "hybrid"}, 422, "currency_mismatch"),
        ({"customer": "globex", "plan": "seat"}, 422, "seats_missing"),
        ({"customer": "nobody", "plan": "hybrid"}, 404, "customer_not_found"),
        ({"customer": "globex", "plan": "nothing"}, 404, "plan_not_found"),
        ({"customer": "globex", "plan": "seat", "seats": -1}, 422, "invalid"),
        ({"customer": "globex", "plan": "hybrid", "starts_at": "tomorrow"}, 422, "invalid"),
    ]
    for body, status, code in cases:
        answer = vendor.post("subscriptions", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_customer_is_made_changed_and_refused_for_good_reasons(api: Api) -> None:
    made = api.post("customers", {"key": "acme", "name": "Acme", "timezone": "Europe/Berlin", "tax_rate": "0.19"})
    assert made.status_code == 201
    assert made.json()["id"].startswith("cus_")
    changed = api.client.patch("/api/v1/customers/acme", {"name": "Acme GmbH"}, content_type="application/json")
    assert changed.json() == made.json() | {"name": "Acme GmbH"}
    renamed = api.client.patch("/api/v1/customers/acme", {"key": "other"}, content_type="application/json")
    assert (renamed.status_code, renamed.json()["code"]) == (422, "key_immutable")
    wrong = {"key": "a b", "email": "x", "currency": "usd", "timezone": "Mars/X", "tax_rate": "1.5"}
    refused = api.post("customers", wrong)
    assert refused.status_code == 422
    assert sorted(error["pointer"] for error in refused.json()["errors"]) == sorted(f"/{name}" for name in wrong)


def test_an_idempotency_key_answers_the_first_answer_again(api: Api) -> None:
    first = api.post("customers", {"key": "acme"}, **{"idempotency-key": "k"})
    again = api.post("customers", {"key": "acme"}, **{"idempotency-key": "k"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["idempotent-replayed"] == "true"
    other = api.post("customers", {"key": "globex"}, **{"idempotency-key": "k"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_refused_request_may_be_put_right_under_the_same_idempotency_key(api: Api) -> None:
    assert api.post("customers", {"key": "a b"}, **{"idempotency-key": "k"}).status_code == 422
    assert api.post("customers", {"key": "ab"}, **{"idempotency-key": "k"}).status_code == 201


def test_lists_are_paged_in_a_stable_order(api: Api) -> None:
    for name in "abcde":
        api.customer(name)
    first = api.get("customers", limit="2").json()
    second = api.get("customers", limit="2", cursor=first["next_cursor"]).json()
    third = api.get("customers", limit="2", cursor=second["next_cursor"]).json()
    found = [customer["key"] for answer in (first, second, third) for customer in answer["data"]]
    assert (sorted(found), third["next_cursor"]) == (list("abcde"), None)
    for parameters in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "zzz"}):
        assert api.get("customers", **parameters).status_code == 422


def _published() -> list[Any]:
    cases = json.loads((Path(__file__).parents[1] / "data" / "published_prices.json").read_text())["cases"]
    return [pytest.param(case, id=case["source"][:40]) for case in cases]


@pytest.mark.parametrize("case", _published())
def test_the_calculator_gives_the_answers_that_vendors_publish(api: Api, case: dict[str, Any]) -> None:
    questions = [({"quantity": q}, a) for q, a in case.get("answers", {}).items()]
    if "groups" in case:
        questions.append(({"groups": case["groups"]}, case["answer"]))
    for question, expected in questions:
        answer = api.post("pricing/calculate", {"currency": "USD", "model": case["model"]} | question)
        assert answer.status_code == 200, answer.content
        assert answer.json()["amount"] == expected


def test_the_calculator_refuses_what_has_no_price(api: Api) -> None:
    answer = api.post("pricing/calculate", {"currency": "USD", "model": {"type": "per_unit"}, "quantity": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "pricing_model_invalid")


def test_the_api_describes_itself(api: Api) -> None:
    schema = api.client.get("/api/v1/schema/", headers={"accept": "application/json"}).content.decode()
    for path in ("/api/v1/events", "/api/v1/meters/{meter}/usage", "/api/v1/billing_runs/{run}"):
        assert path in schema
    assert api.client.get("/api/docs/").status_code == 200


def test_an_unknown_address_is_a_problem_not_a_page(api: Api) -> None:
    answer = api.get("nothing/here")
    assert (answer.status_code, answer["content-type"]) == (404, "application/problem+json")
