"""Credit drawn by invoices: money after tax, units before they are money; against invoices worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.facade import PricedInvoice, customers_of, upcoming_invoices
from billing.invariants import (
    discounts_are_those_of_their_lines,
    grants_are_the_sum_of_their_movements,
    invoices_used_the_credit_they_say,
)
from billing.models import CreditGrant, CreditMovement, Invoice, PlanVersion, Subscription
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.test_credits import available, grant, statement
from tests.examples import examples

Row = dict[str, Any]


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    return Clocked.at(vendor, "2026-10-01T00:00:00Z")


def totals(invoice: Row) -> tuple[str, str, str]:
    return invoice["total"], invoice["credits_applied"], invoice["amount_due"]


#: A coupon over an amount, but for the amount.
AMOUNT_OFF = {"currency": "USD"}


def assert_books_agree(clocked: Clocked) -> None:
    for law in (
        discounts_are_those_of_their_lines,
        grants_are_the_sum_of_their_movements,
        invoices_used_the_credit_they_say,
    ):
        assert not list(law.violations(clocked.api.organization.pk))


def test_money_pays_the_total_after_tax_until_it_is_used_up(clocked: Clocked) -> None:
    clocked.customer("acme", tax_rate="0.19")
    clocked.plan("p", fee("100"))
    clocked.subscribe("acme", "p")
    grant(clocked.api, amount="150")
    preview = clocked.upcoming("acme")
    before = CreditMovement.objects.count()
    assert (totals(preview), before) == (("119.00", "119.00", "0.00"), 1)  # a preview draws nothing
    clocked.advance("2026-12-01T00:00:00Z")
    october, november = clocked.invoices()
    assert totals(october) == totals(preview)
    assert totals(november) == ("119.00", "31.00", "88.00")
    assert statement(clocked.api) == [
        ("granted", "150.00", "150.00"),
        ("drawn", "-119.00", "31.00"),
        ("drawn", "-31.00", "0.00"),
    ]
    rows = clocked.api.get("customers/acme/credit_movements").json()["data"]
    assert [row["invoice_number"] for row in rows] == [None, october["number"], november["number"]]
    assert_books_agree(clocked)


def test_grants_pay_in_the_promised_order_and_only_what_falls_due_while_they_live(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    clocked.subscribe("acme", "p")
    grant(clocked.api, name="never expires", amount="40")
    grant(clocked.api, name="expires with October", amount="30", expires_at="2026-11-01T00:00:00Z")
    grant(clocked.api, name="expires before", amount="20", expires_at="2026-10-31T23:59:59Z")
    grant(clocked.api, name="effective later", amount="10", effective_at="2026-11-01T00:00:00Z")
    grant(clocked.api, name="first", amount="5", priority=1)
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    assert totals(october) == ("100.00", "75.00", "25.00")  # 5 + 30 + 40
    rows = clocked.api.get("customers/acme/credit_movements").json()["data"]
    drawn = [(row["name"], row["amount"]) for row in rows if row["kind"] == "drawn"]
    assert drawn == [("first", "-5.00"), ("expires with October", "-30.00"), ("never expires", "-40.00")]
    assert [(row["name"], row["amount"]) for row in rows if row["kind"] == "expired"] == [("expires before", "-20.00")]
    assert_books_agree(clocked)


def test_what_was_rolled_over_pays_what_falls_due_afterwards(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    clocked.subscribe("acme", "p")
    grant(clocked.api, amount="30", expires_at="2026-10-20T00:00:00Z", rollover_limit="12", rollover_days=30)
    clocked.advance("2027-01-01T00:00:00Z")
    assert [invoice["credits_applied"] for invoice in clocked.invoices()] == ["12.00", "0.00", "0.00"]
    assert [row[:2] for row in statement(clocked.api)] == [
        ("granted", "30.00"),
        ("rolled_over", "-12.00"),
        ("expired", "-18.00"),
        ("granted", "12.00"),
        ("drawn", "-12.00"),
    ]


def test_two_bills_of_one_customer_never_draw_the_same_money(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    clocked.plan("q", fee("60"))
    for plan in ("p", "q"):
        clocked.subscribe("acme", plan)
    grant(clocked.api, amount="130")
    preview = clocked.upcoming("acme")
    assert [totals(one) for one in (preview, *preview["others"])] == [
        ("100.00", "100.00", "0.00"),
        ("60.00", "30.00", "30.00"),
    ]
    clocked.advance("2026-11-01T00:00:00Z")
    assert [totals(one) for one in clocked.invoices()] == [totals(one) for one in (preview, *preview["others"])]
    assert available(clocked.api) == {}


def test_units_of_a_meter_pay_usage_beyond_what_is_included(clocked: Clocked) -> None:
    clocked.customer("acme", tax_rate="0.10")
    clocked.plan("p", usage("0.05", included="100"))
    clocked.subscribe("acme", "p")
    grant(clocked.api, amount="250", currency=None, meter="turns")
    clocked.turns("acme", 300, "2026-10-05T00:00:00Z")
    clocked.turns("acme", 300, "2026-11-05T00:00:00Z")
    preview = clocked.upcoming("acme")
    clocked.advance("2026-12-01T00:00:00Z")
    october, november = clocked.invoices()
    assert preview["lines"][0]["steps"] == october["lines"][0]["steps"]
    # October: 300 - 100 included - 200 of the grant; November: 300 - 100 - 50 left = 150 x 0.05
    assert [(i["lines"][0]["quantity"], i["subtotal"], i["total"]) for i in (october, november)] == [
        ("300", "0.00", "0.00"),
        ("300", "7.50", "8.25"),
    ]
    rows = clocked.api.get("customers/acme/credit_movements").json()["data"]
    assert [(row["kind"], row["amount"], row["line"], row["description"]) for row in rows] == [
        ("granted", "250", None, ""),
        ("drawn", "-200", october["lines"][0]["id"], "turns"),
        ("drawn", "-50", november["lines"][0]["id"], "turns"),
    ]
    assert_books_agree(clocked)


def test_a_void_invoice_gives_back_what_it_drew_once(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"), usage("0.05"))
    clocked.subscribe("acme", "p")
    clocked.turns("acme", 10, "2026-10-05T00:00:00Z")
    grant(clocked.api, amount="30")
    grant(clocked.api, amount="4", currency=None, meter="turns")
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    assert totals(october) == ("100.30", "30.00", "70.30")
    for _ in range(2):
        assert clocked.api.post(f"invoices/{october['id']}/void", {}).status_code == 200
    assert available(clocked.api) == {"USD": "30.00", "turns": "4"}
    assert [row[0] for row in statement(clocked.api)].count("returned") == 2
    assert_books_agree(clocked)


def test_closing_again_draws_nothing_again(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    clocked.subscribe("acme", "p")
    grant(clocked.api, amount="500")
    for _ in range(2):
        clocked.advance("2026-11-01T00:00:00Z")
    assert statement(clocked.api)[1:] == [("drawn", "-100.00", "400.00")]


def test_a_bill_that_cannot_be_priced_uses_up_nothing(clocked: Clocked) -> None:
    """Its first line draws on the grant before its second one fails; the other bill finds all of it."""
    clocked.customer("acme")
    matrix = {"type": "matrix", "dimensions": ["agent"], "cells": [{"where": {"agent": "a"}, "unit_amount": "1"}]}
    clocked.plan("broken", usage("1"), usage("1", key="by_agent") | {"model": matrix})
    clocked.plan("sound", usage("1"))
    clocked.subscribe("acme", "broken")
    broken = Subscription.objects.get()
    # As two subscriptions of one meter were made before events were charged by one of them.
    Subscription.objects.create(
        organization=broken.organization,
        customer=broken.customer,
        plan_version=PlanVersion.objects.get(plan__key="sound"),
        starts_at=broken.starts_at,
    )
    clocked.turns("acme", 5, "2026-10-05T00:00:00Z")
    grant(clocked.api, amount="5", currency=None, meter="turns")
    [acme] = customers_of(clocked.api.organization.pk)
    assert acme.test_clock is not None
    sound = [one for one in upcoming_invoices(customer=acme, now=acme.test_clock.now) if isinstance(one, PricedInvoice)]
    assert [one.total for one in sound] == [Decimal(0)]


@settings(max_examples=examples(3, thorough=40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(st.integers(1, 150), max_size=4),
    months=st.lists(st.integers(0, 3), max_size=4),
    fees=st.lists(st.integers(0, 120), min_size=1, max_size=2),
    coupons=st.lists(
        st.integers(1, 100).map(lambda n: {"percent": str(n)} if n % 2 else AMOUNT_OFF | {"amount": str(n)})
    ),
    by_hand=st.lists(st.integers(-150, 60), max_size=2),
    turns=st.integers(0, 30),
)
def test_whatever_is_used_previews_are_what_is_issued_and_books_agree(
    clocked: Clocked,
    amounts: list[int],
    months: list[int],
    fees: list[int],
    coupons: list[Row],
    by_hand: list[int],
    turns: int,
) -> None:
    number = Invoice.objects.count() + CreditGrant.objects.count()
    mine = Clocked.at(clocked.api, "2026-10-01T00:00:00Z")
    key = f"customer-{number}"
    mine.customer(key, tax_rate="0.07")
    for index, amount in enumerate(fees):
        # One subscription at a time counts a meter.
        mine.plan(f"plan-{number}-{index}", fee(str(amount)), *([] if index else [usage("0.37")]))
        subscription = mine.subscribe(key, f"plan-{number}-{index}")
        for place, coupon in enumerate(coupons[:3]):
            name = f"coupon-{number}-{index}-{place}"
            assert mine.api.post("coupons", {"key": name, "periods": place + 1} | coupon).status_code == 201
            assert mine.api.post(f"subscriptions/{subscription}/coupons", {"coupon": name}).status_code == 201
    for place, amount in enumerate(by_hand):
        body = {"customer": key, "description": f"By hand, {place}", "amount": str(amount)}
        assert mine.api.post("charges", body).status_code == 201
    if turns:
        mine.turns(key, turns, "2026-10-05T00:00:00Z")
        grant(mine.api, key, amount="20", currency=None, meter="turns")
    for place, (amount, month) in enumerate(zip(amounts, months, strict=False)):
        expires_at = f"2026-{10 + month:02d}-15T00:00:00Z" if month < 3 else None
        grant(mine.api, key, name=f"Grant {place}", amount=str(amount), expires_at=expires_at)
    for end in ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"):
        preview = mine.upcoming(key)
        mine.advance(end)
        issued = [one for one in mine.invoices(customer=key) if one["period_end"] == end]
        assert [totals(one) for one in issued] == [totals(one) for one in (preview, *preview.get("others", []))]
    assert all(Decimal(one["amount_due"]) >= 0 for one in mine.invoices(customer=key))
    assert_books_agree(mine)


@pytest.mark.parametrize(
    ("damage", "law"),
    [
        (
            "UPDATE billing_creditgrant SET balance = balance - 1 WHERE balance > 0",
            grants_are_the_sum_of_their_movements,
        ),
        ("UPDATE billing_creditmovement SET amount = -9 WHERE kind = 'drawn'", invoices_used_the_credit_they_say),
        ("DELETE FROM billing_invoicediscount", discounts_are_those_of_their_lines),
    ],
)
def test_a_broken_law_is_named(clocked: Clocked, damage: str, law: Any) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    clocked.api.post("coupons", {"key": "tenth", "percent": "10"})
    clocked.subscribe("acme", "p", coupon="tenth")
    grant(clocked.api, amount="30", effective_at="2026-09-01T00:00:00Z")
    grant(clocked.api, amount="500", effective_at="2027-09-01T00:00:00Z")
    clocked.advance("2026-11-01T00:00:00Z")
    assert totals(clocked.invoices()[0]) == ("90.00", "30.00", "60.00")
    assert not list(law.violations(clocked.api.organization.pk))
    with connection.cursor() as cursor:
        cursor.execute(damage)
    assert len(list(law.violations(clocked.api.organization.pk))) == 1
