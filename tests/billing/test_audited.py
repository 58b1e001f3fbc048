"""Changes of billing that leave an entry in the audit trail, each in the transaction of the change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import Api

pytestmark = pytest.mark.django_db


def entries(api: Api, thing: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = [one for one in api.get("audit_entries").json()["data"] if one["action"].startswith(f"{thing}.")]
    return [(one["action"], one["target"], one["detail"]) for one in reversed(found)]


@pytest.fixture
def vendor(api: Api) -> Api:
    assert api.post("customers", {"key": "acme", "currency": "USD"}).status_code == 201
    plan = {"key": "base", "currency": "USD", "interval": "month", "prices": [
        {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "20"}},
    ]}  # fmt: skip
    assert api.post("plans", plan).status_code == 201
    return api


def test_charges_made_by_hand(vendor: Api) -> None:
    made = vendor.post("charges", {"customer": "acme", "description": "Set-up", "unit_amount": "12.50"}).json()
    assert vendor.client.delete(f"/api/v1/charges/{made['id']}").status_code == 204
    said = {
        "customer": "acme",
        "description": "Set-up",
        "quantity": "1",
        "unit_amount": "12.5",
        "currency": "USD",
    }
    assert entries(vendor, "charge") == [("charge.create", made["id"], said), ("charge.delete", made["id"], said)]


def test_coupons_and_who_has_them(vendor: Api) -> None:
    assert vendor.post("coupons", {"key": "ten", "percent": "10", "periods": 3}).status_code == 201
    assert vendor.post("coupons", {"key": "ten", "percent": "20"}).status_code == 409
    body = {"customer": "acme", "plan": "base", "starts_at": "2026-10-01T00:00:00Z"}
    subscription = vendor.post("subscriptions", body).json()["id"]
    assert vendor.post(f"subscriptions/{subscription}/coupons", {"coupon": "ten"}).status_code in {200, 201}
    (created, key, terms), (redeemed, of, whose) = entries(vendor, "coupon")
    assert (created, key, terms["percent"], terms["periods"]) == ("coupon.create", "ten", "10", 3)
    assert (redeemed, of, whose["customer"], whose["subscription"]) == ("coupon.redeem", "ten", "acme", subscription)


def test_pricing_units(vendor: Api) -> None:
    assert vendor.post("pricing_units", {"key": "credits", "currency": "USD", "rate": "0.01"}).status_code == 201
    assert vendor.patch("pricing_units/credits", {"rate": "0.02"}).status_code == 200
    assert vendor.patch("pricing_units/credits", {"rate": "0.02"}).status_code == 200  # changes nothing
    assert entries(vendor, "pricing_unit") == [
        ("pricing_unit.create", "credits", {"currency": "USD", "rate": "0.01"}),
        ("pricing_unit.update", "credits", {"before": {"rate": "0.01"}, "after": {"rate": "0.02"}}),
    ]


def test_test_clocks(vendor: Api) -> None:
    clock = vendor.post("test_clocks", {"now": "2026-01-01T00:00:00Z"}).json()["id"]
    assert vendor.post(f"test_clocks/{clock}/advance", {"to": "2026-02-01T00:00:00Z"}).status_code == 200
    assert entries(vendor, "test_clock") == [
        ("test_clock.create", clock, {"now": "2026-01-01T00:00:00+00:00"}),
        (
            "test_clock.advance",
            clock,
            {
                "before": {"now": "2026-01-01T00:00:00+00:00"},
                "after": {"now": "2026-02-01T00:00:00+00:00"},
                "invoices": 0,
            },
        ),
    ]
