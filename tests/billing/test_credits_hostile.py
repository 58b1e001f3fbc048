"""Bodies that are right but for one field: never a 500, and nothing is kept of what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api import Api
from tests.billing.clocked import fee
from tests.examples import examples

BODIES: dict[str, dict[str, Any]] = {
    "credit_grants": {
        "customer": "acme",
        "name": "Welcome",
        "amount": "10",
        "currency": "USD",
        "priority": 1,
        "expires_at": "2999-12-31T00:00:00Z",
        "rollover_limit": "5",
        "rollover_days": 36500,
        "source": "purchase",
    },
    "coupons": {"key": "c", "percent": "10", "periods": 1200, "max_redemptions": 1},
    "charges": {"customer": "acme", "description": "x", "quantity": "2", "unit_amount": "1", "when": "now"},
    "pricing_units": {"key": "u", "name": "U", "currency": "USD", "rate": "0.01"},
    "subscriptions": {"customer": "acme", "plan": "century", "coupon": "long"},
}

hostile = st.sampled_from(
    [
        None, True, -1, 0, 10**40, 0.1, "", "-1", "1e400", "NaN", "Infinity", "9" * 18 + "." + "9" * 12,
        "0." + "0" * 11 + "1", "-" + "9" * 18, "9" * 5000, "acme", "USD", "JPY", "a\x00b", "\ud800",
        "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", [], {}, ["1"], {"amount": "1"},
    ]
)  # fmt: skip


@pytest.fixture
def furnished(api: Api) -> Api:
    api.client.raise_request_exception = False
    api.customer("acme")
    body = {"key": "century", "currency": "USD", "interval": "year", "interval_count": 100, "prices": [fee("1")]}
    assert api.post("plans", body).status_code == 201
    assert api.post("coupons", {"key": "long", "percent": "10", "periods": 1200}).status_code == 201
    return api


@pytest.mark.parametrize("path", BODIES)
def test_the_bodies_are_right(furnished: Api, path: str) -> None:
    assert furnished.post(path, BODIES[path]).status_code == 201


@pytest.mark.parametrize("path", BODIES)
@settings(max_examples=examples(15, thorough=200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_wrong_field_never_makes_the_server_fail(furnished: Api, path: str, data: Any) -> None:
    body = BODIES[path] | {data.draw(st.sampled_from(sorted(BODIES[path]))): data.draw(hostile)}
    answer = furnished.post(path, json.dumps(body).encode())
    assert answer.status_code < 500, answer.content
    listed = furnished.get(path)
    assert listed.status_code == 200, listed.content


@pytest.mark.parametrize(
    "path", ["credit_grants", "coupons", "charges", "pricing_units", "customers/acme/credit_movements"]
)
def test_a_list_asks_the_database_no_more_for_many_rows(
    furnished: Api, path: str, django_assert_num_queries: Any
) -> None:
    created = "credit_grants" if "/" in path else path
    for number in range(3):
        body = BODIES[created] | ({"key": f"k{number}"} if "key" in BODIES[created] else {})
        repeated = {"idempotency-key": str(number)}  # on purpose
        assert furnished.post(created, body, **repeated).status_code == 201
    furnished.get(path, limit="1")
    # the page; of a statement also the customer, and the balances before the page
    with django_assert_num_queries({"customers/acme/credit_movements": 3}.get(path, 1)):
        assert len(furnished.get(path, limit="3").json()["data"]) == 3
