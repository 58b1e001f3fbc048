"""Four clicks on one button create one thing, and say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.models import CreditGrant, OneOffCharge, Subscription
from rest.idempotency import IDENTICAL_WITHIN
from rest.models import IdempotencyRecord
from tests.api import Api

_CREATES: list[tuple[str, Any, dict[str, str]]] = [
    ("subscriptions", Subscription, {"customer": "acme", "plan": "base"}),
    ("credit_grants", CreditGrant, {"customer": "acme", "name": "Trial", "amount": "5", "currency": "USD"}),
    ("charges", OneOffCharge, {"customer": "acme", "description": "Set-up", "amount": "5"}),
]


@pytest.fixture
def vendor(api: Api) -> Api:
    api.customer("acme", currency="USD")
    price = {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "10"}}
    assert api.post("plans", {"key": "base", "currency": "USD", "prices": [price]}).status_code == 201
    return api


@pytest.mark.parametrize(("path", "model", "body"), _CREATES, ids=[path for path, *_ in _CREATES])
def test_an_identical_request_within_seconds_creates_nothing(
    vendor: Api, path: str, model: Any, body: dict[str, str]
) -> None:
    first, *others = [vendor.post(path, body) for _ in range(4)]
    assert first.status_code == 201, first.content
    assert [(each.status_code, each.json()["code"]) for each in others] == [(409, "identical_request")] * 3
    assert first.json()["id"] in others[0].json()["detail"]
    assert model.objects.count() == 1


@pytest.mark.parametrize(("path", "model", "body"), _CREATES, ids=[path for path, *_ in _CREATES])
def test_it_is_done_again_on_purpose(vendor: Api, path: str, model: Any, body: dict[str, str]) -> None:
    assert vendor.post(path, body).status_code == 201
    keyed = [vendor.post(path, body, **{"idempotency-key": key}) for key in ("one", "two")]
    assert [each.status_code for each in keyed] == [201, 201]
    for record in IdempotencyRecord.objects.filter(key__startswith="identical:"):
        record.created_at -= IDENTICAL_WITHIN + timedelta(seconds=1)
        record.save()
    assert vendor.post(path, body).status_code == 201
    assert model.objects.count() == 4


def test_a_refused_request_is_no_first_one(vendor: Api) -> None:
    body = {"customer": "acme", "plan": "other"}
    assert [vendor.post("subscriptions", body).status_code for _ in range(2)] == [404, 404]
    price = {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "10"}}
    vendor.post("plans", {"key": "other", "currency": "USD", "prices": [price]})
    assert vendor.post("subscriptions", body).status_code == 201
