"""Portal, budget, alert, console and API name one spend of a customer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.facade import create_portal_link
from billing.facade import get_customer, open_spend
from budgets.facade import budget_state, get_budget
from kernel.clock import system_clock
from tests.api import Api
from tests.budgets.conftest import NOW, crossed, evaluate

Make = Callable[..., Any]

SEATS = {"key": "seats", "kind": "seat", "bill": "in_advance", "model": {"type": "per_unit", "unit_amount": "10"}}
TURNS = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "1"}}


def advance(vendor: Api, clock: str, to: str) -> None:
    answer = vendor.post(f"test_clocks/{clock}/advance", {"to": to})
    assert answer.status_code == 200, answer.content


def posted(vendor: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = vendor.post(path, body)
    assert answer.status_code in {200, 201}, answer.content
    return dict(answer.json())


def portal_page(vendor: Api, customer: str) -> str:
    browser = Client()
    _, link = create_portal_link(
        organization=vendor.organization,
        customer=get_customer(organization_id=vendor.organization.pk, customer=customer).pk,
        now=system_clock(),
        link_of=lambda token: f"/portal/open/{token}",
    )
    browser.post(link)
    return str(browser.get("/portal/").content.decode())


def spend_of(vendor: Api, customer: str) -> str:
    return str(vendor.get(f"customers/{customer}/upcoming_invoice").json()["spend"])


def test_portal_budget_alert_and_api_name_one_spend(vendor: Api, budget: Make, turns: Make) -> None:
    clock = posted(vendor, "test_clocks", {"now": "2026-01-01T00:00:00Z"})["id"]
    vendor.customer("furnished", test_clock=clock, tax_rate="0.2")
    posted(vendor, "plans", {"key": "full", "currency": "USD", "invoice_threshold": "25", "prices": [SEATS, TURNS]})
    posted(vendor, "coupons", {"key": "tenth", "name": "Tenth", "percent": "10"})
    subscription = posted(vendor, "subscriptions", {"customer": "furnished", "plan": "full", "seats": 2})["id"]
    posted(vendor, f"subscriptions/{subscription}/coupons", {"coupon": "tenth"})
    posted(vendor, "credit_grants", {"customer": "furnished", "name": "Welcome", "amount": "5", "currency": "USD"})
    one = budget(40, measure={"money": "spend"}, scope="customer", customer="furnished", period="billing_period")

    minutes = itertools.count(0, 2)

    def everywhere(spend: str) -> None:
        evaluate(NOW + timedelta(minutes=next(minutes)))  # budgets on spend are evaluated every minute at least
        assert spend_of(vendor, "furnished") == spend
        state = budget_state(get_budget(organization_id=one.organization_id, budget=one.key), now=NOW)
        assert state.used == Decimal(spend)
        assert f"${spend}" in portal_page(vendor, "furnished").partition("Spend so far")[2][:80]

    advance(vendor, clock, "2026-01-02T00:00:00Z")
    everywhere("18.00")  # two seats at 10 in advance, less a tenth, before 20 percent tax and 5.00 of credit
    turns("furnished", 30, "2026-01-05T00:00:00Z")
    everywhere("45.00")  # and 30 turns less a tenth
    assert crossed(one) == [("80", "45.00"), ("100", "45.00")]
    advance(vendor, clock, "2026-01-10T00:00:00Z")
    kinds = {row["kind"]: row for row in vendor.get("invoices").json()["data"]}
    assert set(kinds) == {"opening", "threshold"}
    everywhere("45.00")  # the threshold invoice changes nothing
    turns("furnished", 2, "2026-01-08T00:00:00Z")
    everywhere("46.80")
    [seats] = kinds["opening"]["lines"]
    posted(vendor, "credit_notes", {"invoice": kinds["opening"]["id"], "lines": [{"line": seats["id"], "amount": "6"}]})
    everywhere("40.80")
    charge = {"customer": "furnished", "description": "Set-up", "unit_amount": "7", "when": "now"}
    posted(vendor, "charges", charge)
    everywhere("40.80")  # a one-off charge belongs to no period


def test_spend_of_a_period_begins_with_another_interval(vendor: Api) -> None:
    clock = posted(vendor, "test_clocks", {"now": "2025-01-01T00:00:00Z"})["id"]
    vendor.customer("moving", test_clock=clock)
    for key, amount in (("year", "365"), ("month", "31")):
        fee = {"key": "fee", "kind": "fixed", "bill": "in_advance", "model": {"type": "flat", "amount": amount}}
        posted(vendor, "plans", {"key": key, "currency": "USD", "interval": key, "prices": [fee]})
    subscription = posted(vendor, "subscriptions", {"customer": "moving", "plan": "year"})["id"]
    assert spend_of(vendor, "moving") == "365.00"  # due, and not invoiced yet
    advance(vendor, clock, "2025-01-11T00:00:00Z")
    assert spend_of(vendor, "moving") == "365.00"
    posted(vendor, f"subscriptions/{subscription}/change", {"plan": "month", "when": "now"})
    assert spend_of(vendor, "moving") == "21.00"  # 11 to 31 January; 355.00 of the year goes back besides
    advance(vendor, clock, "2025-01-12T00:00:00Z")
    assert spend_of(vendor, "moving") == "21.00"
    advance(vendor, clock, "2025-02-02T00:00:00Z")
    assert spend_of(vendor, "moving") == "31.00"


@pytest.mark.parametrize(("when", "spend"), [("now", "52.00"), ("period_end", "31.00")])
def test_seats_bought_within_a_period_paid_in_advance_count(vendor: Api, when: str, spend: str) -> None:
    clock = posted(vendor, "test_clocks", {"now": "2025-01-01T00:00:00Z"})["id"]
    vendor.customer("growing", test_clock=clock)
    price = SEATS | {"model": {"type": "per_unit", "unit_amount": "31"}}
    posted(vendor, "plans", {"key": "seated", "currency": "USD", "prices": [price]})
    subscription = posted(vendor, "subscriptions", {"customer": "growing", "plan": "seated", "seats": 1})["id"]
    advance(vendor, clock, "2025-01-11T00:00:00Z")
    posted(vendor, f"subscriptions/{subscription}/change", {"seats": 2, "when": when})
    assert spend_of(vendor, "growing") == spend  # 31.00, and one more from 11 to 31 January
    spent, failed = open_spend(organization_id=vendor.organization.pk, customers=None, now=NOW)
    assert ([f"{one.amount:f}" for one in spent], failed) == ([spend], {})
