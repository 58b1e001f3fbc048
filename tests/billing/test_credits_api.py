"""What the API answers about credit, coupons and charges has the shape that its description gives it."""

from __future__ import annotations

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from billing.catalog import answers as catalog_answers
from billing.catalog.api import PricingUnitAnswer
from billing.credits.api import CreditBalances, CreditGrantAnswer, CreditMovementAnswer
from billing.credits.charges_api import ChargeAnswer
from billing.credits.coupons_api import CouponAnswer, RedemptionAnswer
from billing.invoicing import answers as invoicing_answers
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.test_credits import grant
from tests.billing.test_ledger_api import differences

LISTS = {
    "credit_grants": CreditGrantAnswer,
    "coupons": CouponAnswer,
    "charges": ChargeAnswer,
    "pricing_units": PricingUnitAnswer,
    "customers/acme/credit_movements": CreditMovementAnswer,
    "invoices": invoicing_answers.Invoice,
    "plans": catalog_answers.Plan,
}
THINGS = {
    "customers/acme/credit_balance": CreditBalances,
    "customers/acme/upcoming_invoice": invoicing_answers.UpcomingInvoice,
}


@pytest.fixture
def furnished(vendor: Api) -> Api:
    clocked = Clocked.at(vendor, "2026-10-10T00:00:00Z")
    clocked.customer("acme")
    vendor.post("pricing_units", {"key": "credits", "name": "Credits", "currency": "USD", "rate": "0.01"})
    vendor.post("coupons", {"key": "half", "percent": "50"})
    clocked.plan("p", fee("10"), usage("1", pricing_unit="credits"))
    clocked.subscribe("acme", "p", coupon="half")
    grant(vendor, amount="100")
    for when in ("now", "next_invoice"):
        answer = vendor.post("charges", {"customer": "acme", "description": "x", "amount": "5", "when": when})
        assert answer.status_code == 201
    clocked.advance("2026-11-01T00:00:00Z")
    return vendor


def test_what_is_answered_has_the_shape_that_is_said(furnished: Api) -> None:
    found: list[str] = []
    for path, shape in LISTS.items():
        for row in furnished.get(path).json()["data"]:
            found += differences(row, shape(), path) if row.get("prices") != [] else []
    for path, shape in THINGS.items():
        found += differences(furnished.get(path).json(), shape(), path)
    [subscription] = furnished.get("subscriptions").json()["data"]
    [redemption] = furnished.get(f"subscriptions/{subscription['id']}/coupons").json()["data"]
    assert found + differences(redemption, RedemptionAnswer(), "redemption") == []


def test_every_address_is_described() -> None:
    paths: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    described = {(path.removeprefix("/api/v1/"), method) for path, methods in paths.items() for method in methods}
    assert described >= {
        ("pricing_units", "post"),
        ("pricing_units/{unit}", "patch"),
        ("credit_grants", "post"),
        ("credit_grants/{grant}", "get"),
        ("credit_grants/{grant}/void", "post"),
        ("customers/{customer}/credit_balance", "get"),
        ("customers/{customer}/credit_movements", "get"),
        ("coupons", "post"),
        ("coupons/{coupon}", "get"),
        ("subscriptions/{subscription}/coupons", "post"),
        ("subscriptions/{subscription}/coupons/{coupon}", "delete"),
        ("charges", "post"),
        ("charges/{charge}", "delete"),
    }
