"""Whatever a client sends, the answer is never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kernel.period import Month
from tests.api import Api
from tests.billing.test_closing_a_month import close
from tests.examples import examples

POSTS = [
    "meters", "meters/turns/versions", "events/void", "events/amend", "customers", "plans", "plans/p/versions",
    "subscriptions", "subscriptions/sub_x/cancel", "pricing/calculate", "billing_runs", "invoices/inv_x/pay",
    "credit_notes", "credit_grants", "coupons", "charges", "pricing_units", "budgets", "features", "entitlements/check",
    "reservations/rsv_x/commit",
    "stripe_meters", "bank_transfers", "bank_transfers/btr_x/match", "invoices/inv_x/payment_link",
    "invoices/inv_x/charge", "customers/acme/payment_setup_link", "customers/acme/reinstate",
    "provider_calls/pvc_x/repeat", "stripe_account/test", "quarantined_events/qev_x/release",
    "quarantined_events/qev_x/discard",
]  # fmt: skip
GETS = [
    "events", "meters", "meters/turns", "meters/turns/usage", "customers", "customers/acme",
    "customers/acme/upcoming_invoice", "plans", "plans/p", "subscriptions", "invoices", "invoices/inv_x",
    "invoices/inv_x/lines/inl_x/events", "invoices/inv_x/late_usage", "billing_runs", "billing_runs/run_x",
    "customers/acme/credit_balance", "customers/acme/credit_movements", "credit_grants", "coupons", "charges",
    "pricing_units", "payments", "ledger/transactions", "ledger/trial_balance", "ledger/revenue_schedule", "budgets",
    "budgets/b", "features", "plans/p/versions/1/entitlements", "reservations/rsv_x",
    "collection_policy", "stripe_account", "stripe_meters", "customers/acme/payment_details",
    "invoices/inv_x/collection", "invoice_collections", "provider_calls", "provider_payments", "bank_transfers",
    "reconciliations", "reconciliation_differences", "unassigned_usage", "usage_overlaps",
    "quarantined_events",
]  # fmt: skip

words = st.sampled_from(
    [
        "key", "name", "currency", "prices", "model", "type", "kind", "meter", "unit_amount", "tiers", "up_to",
        "flat", "usage", "fixed", "turns", "acme", "p", "USD", "month", "data.n", "sum", "count", "event_type",
        "aggregation", "value", "filters", "path", "op", "eq", "in", "dimensions", "customer", "plan", "starts_at",
        "seats", "anchor", "trial_days", "quantity", "groups", "group", "2026-10", "source", "id", "reason",
        "event", "graduated", "matrix", "cells", "where", "amount", "included", "minimum", "maximum", "filter",
        "reference", "received_at", "text", "invoice", "event_name", "since", "return_url",
        "1", "-1", "0.1", "1e400", "NaN", "2026-10-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
    ]
)  # fmt: skip
texts = words | st.text(max_size=12) | st.sampled_from(["\x00", "a\x00b", "\ud800", "x" * 5000, "'; --", "%", "%s"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
bodies = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | texts, inner, max_size=6),
    max_leaves=25,
)
parameters = st.dictionaries(
    st.sampled_from(
        [
            "from",
            "to",
            "window",
            "timezone",
            "customer",
            "group_by",
            "limit",
            "cursor",
            "month",
            "status",
            "type",
            "agent",
            "state",
            "kind",
            "invoice",
            "open",
            "unmatched",
        ]
    ),
    texts.filter(lambda text: "\ud800" not in text),
    max_size=5,
)


@pytest.fixture
def furnished(api: Api) -> Api:
    api.client.raise_request_exception = False
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"agent": "data.agent"})
    api.customer("acme")
    price = {"key": "t", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "1"}}
    assert api.post("plans", {"key": "p", "currency": "USD", "prices": [price]}).status_code == 201
    return api


relaxed = settings(
    max_examples=examples(15, thorough=120),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("path", POSTS)
@relaxed
@given(body=bodies)
@example(body=[])
@example(body={"key": "x", "prices": "many"})
def test_no_body_makes_the_server_fail(furnished: Api, path: str, body: Any) -> None:
    answer = furnished.post(path, json.dumps(body).encode())
    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        assert {"code", "status", "detail"} <= set(answer.json())


@pytest.mark.parametrize("path", GETS)
@relaxed
@given(query=parameters)
def test_no_parameter_makes_the_server_fail(furnished: Api, path: str, query: dict[str, str]) -> None:
    answer = furnished.get(path, **query)
    assert answer.status_code < 500, answer.content


@relaxed
@given(raw=st.binary(max_size=200), reference=texts.filter(lambda text: "\ud800" not in text))
def test_no_bytes_and_no_reference_make_the_server_fail(furnished: Api, raw: bytes, reference: str) -> None:
    from urllib.parse import quote

    for path in ("events", "customers", "pricing/calculate"):
        assert furnished.post(path, raw).status_code < 500
    for path in ("customers", "plans", "meters", "subscriptions", "invoices", "billing_runs"):
        assert furnished.get(f"{path}/{quote(reference, safe='')}").status_code < 500


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_ends_of_the_calendar_make_nothing_fail(furnished: Api, zone: str) -> None:
    ends = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2999-12-31T23:59:59Z", "9999-12-31T23:59:59+14:00"]
    furnished.customer("far", timezone=zone)
    fee = {"key": "f", "kind": "fixed", "bill": "in_advance", "model": {"type": "flat", "amount": "1"}}
    for interval, count in (("day", 1), ("year", 100)):
        body = {"key": interval, "currency": "USD", "interval": interval, "interval_count": count, "prices": [fee]}
        furnished.post("plans", body)
        for starts_at in ends:
            for anchor in ("calendar", "anniversary"):
                body = {"customer": "far", "plan": interval, "starts_at": starts_at, "anchor": anchor}
                assert furnished.post("subscriptions", body | {"trial_days": 3650}).status_code < 500
    assert furnished.get("customers/far/upcoming_invoice").status_code < 500
    for month in ("1970-01", "2026-10"):
        assert close(furnished, Month.parse(month)).status == "succeeded"
    for start in ends:
        for end in ends:
            for window in ("minute", "hour", "day", "month", "total"):
                query = {"from": start, "to": end, "window": window, "timezone": zone}
                assert furnished.get("meters/turns/usage", **query).status_code < 500, query
