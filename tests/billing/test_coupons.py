"""Coupons on subscriptions, against invoices worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from billing.invariants import discounts_are_those_of_their_lines
from billing.models import CouponRedemption, InvoiceDiscount
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage

Row = dict[str, Any]


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    return Clocked.at(vendor, "2026-10-01T00:00:00Z")


def coupon(api: Api, key: str, **fields: Any) -> Row:
    answer = api.post("coupons", {"key": key} | fields)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def redeem(api: Api, subscription: str, key: str) -> Row:
    answer = api.post(f"subscriptions/{subscription}/coupons", {"coupon": key})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def discounts(invoice: Row) -> list[tuple[str, str, str]]:
    return [(line["price"], line["amount"], line["discount"]) for line in invoice["lines"]]


def totals(invoice: Row) -> tuple[str, ...]:
    return tuple(invoice[name] for name in ("subtotal", "discount", "tax", "total", "amount_due"))


def test_a_percentage_is_taken_off_every_line_before_tax(clocked: Clocked) -> None:
    clocked.customer("acme", tax_rate="0.19")
    clocked.plan("p", fee("49"), usage("0.04", included="500"))
    subscription = clocked.subscribe("acme", "p")
    coupon(clocked.api, "launch", percent="10", periods=2)
    redemption = redeem(clocked.api, subscription, "launch")
    assert (redemption["starts_at"], redemption["ends_at"]) == ("2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z")
    clocked.turns("acme", 620, "2026-10-03T10:00:00Z")
    preview = clocked.upcoming("acme")
    clocked.advance("2027-01-01T00:00:00Z")
    october, november, december = clocked.invoices()
    # 49.00 and (620 - 500) x 0.04 = 4.80; 10 % of each; 19 % of 44.10 is 8.379, of 4.32 is 0.8208
    assert discounts(october) == [("base", "49.00", "4.90"), ("turns", "4.80", "0.48")]
    assert [line["tax"] for line in october["lines"]] == ["8.38", "0.82"]
    assert totals(october) == ("53.80", "5.38", "9.20", "57.62", "57.62")
    assert totals(preview) == totals(october)
    assert (november["discount"], december["discount"]) == ("4.90", "0.00")
    assert clocked.api.get(f"subscriptions/{subscription}/coupons").json()["data"][0]["taken_off"] == "10.28"
    assert not list(discounts_are_those_of_their_lines.violations(clocked.api.organization.pk))


def test_an_amount_is_taken_off_once_a_period_and_spread_over_its_lines(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("49"), usage("0.04", included="500"))
    coupon(clocked.api, "ten", amount="10", currency="USD")
    redeem(clocked.api, clocked.subscribe("acme", "p"), "ten")
    clocked.turns("acme", 620, "2026-10-03T10:00:00Z")
    clocked.advance("2026-12-01T00:00:00Z")
    october, november = clocked.invoices()
    # 10 x 49.00 / 53.80 = 9.1078, 10 x 4.80 / 53.80 = 0.8922
    assert discounts(october) == [("base", "49.00", "9.11"), ("turns", "4.80", "0.89")]
    assert discounts(november) == [("base", "49.00", "10.00"), ("turns", "0.00", "0.00")]


def test_two_invoices_of_one_period_share_an_amount(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("6", bill="in_advance"), usage("0.04"))
    coupon(clocked.api, "ten", amount="10", currency="USD", periods=1)
    # redeemed before the clock reaches the start, so the opening invoice has it too
    redeem(clocked.api, clocked.subscribe("acme", "p", "2026-11-01T00:00:00Z"), "ten")
    clocked.turns("acme", 300, "2026-11-03T10:00:00Z")
    clocked.advance("2026-12-01T00:00:00Z")
    opening, november = clocked.invoices()
    assert discounts(opening) == [("base", "6.00", "6.00")]
    # 4.00 of the 10.00 are left for November's usage of 12.00; December's fee is beyond the one period
    assert sorted(discounts(november)) == [("base", "6.00", "0.00"), ("turns", "12.00", "4.00")]


def test_several_coupons_take_percentages_first(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    subscription = clocked.subscribe("acme", "p")
    coupon(clocked.api, "twenty", amount="20", currency="USD")
    coupon(clocked.api, "tenth", percent="10")
    for key in ("twenty", "tenth"):
        redeem(clocked.api, subscription, key)
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    assert totals(october) == ("100.00", "30.00", "0.00", "70.00", "70.00")
    taken = {row.redemption.coupon.key: str(row.amount) for row in InvoiceDiscount.objects.all()}
    assert taken == {"tenth": "10.00", "twenty": "20.00"}


def test_a_fee_given_back_is_given_back_as_it_was_discounted(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan(
        "seats",
        {"key": "seats", "kind": "seat", "bill": "in_advance", "model": {"type": "per_unit", "unit_amount": "31"}},
    )
    coupon(clocked.api, "half", percent="50")
    subscription = clocked.subscribe("acme", "seats", "2026-12-01T00:00:00Z", seats=2)
    redeem(clocked.api, subscription, "half")
    clocked.advance("2026-12-17T00:00:00Z")
    change = clocked.api.post(f"subscriptions/{subscription}/change", {"seats": 1, "when": "now"})
    assert change.status_code == 200, change.content
    clocked.advance("2027-01-01T00:00:00Z")
    opening, december = clocked.invoices()
    assert discounts(opening) == [("seats", "62.00", "31.00")]
    # one seat less for the 15 days from the 17th: -15.00, of which half had been charged; January's seat for 31.00
    assert discounts(december) == [("seats", "-15.00", "-7.50"), ("seats", "31.00", "15.50")]
    assert totals(december) == ("16.00", "8.00", "0.00", "8.00", "8.00")
    assert sum(row.amount for row in InvoiceDiscount.objects.all()) == 39  # 31.00 - 7.50 + 15.50


def test_a_coupon_redeemed_later_counts_for_the_period_that_is_open(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    subscription = clocked.subscribe("acme", "p")
    coupon(clocked.api, "once", percent="25", periods=1)
    clocked.advance("2026-11-15T00:00:00Z")
    redeem(clocked.api, subscription, "once")
    clocked.advance("2027-01-01T00:00:00Z")
    assert [invoice["discount"] for invoice in clocked.invoices()] == ["0.00", "25.00", "0.00"]


def test_a_coupon_that_is_removed_ends_with_its_period(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    subscription = clocked.subscribe("acme", "p")
    coupon(clocked.api, "ever", percent="25")
    redeem(clocked.api, subscription, "ever")
    clocked.advance("2026-10-15T00:00:00Z")
    path = f"/api/v1/subscriptions/{subscription}/coupons/ever"
    for _ in range(2):
        assert clocked.api.client.delete(path).json()["ends_at"] == "2026-11-01T00:00:00Z"
    assert clocked.api.client.delete(f"/api/v1/subscriptions/{subscription}/coupons/none").status_code == 404
    clocked.advance("2026-12-01T00:00:00Z")
    assert [invoice["discount"] for invoice in clocked.invoices()] == ["25.00", "0.00"]


def test_what_a_void_invoice_took_off_may_be_taken_off_again(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    subscription = clocked.subscribe("acme", "p")
    coupon(clocked.api, "once", amount="25", currency="USD", periods=1)
    redeem(clocked.api, subscription, "once")
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    assert clocked.api.post(f"invoices/{october['id']}/void", {}).status_code == 200
    [redemption] = clocked.api.get(f"subscriptions/{subscription}/coupons").json()["data"]
    assert redemption["taken_off"] == "0.00"


def test_a_coupon_is_redeemed_in_time_once_a_subscription_and_no_more_often_than_it_may(clocked: Clocked) -> None:
    for key in ("acme", "globex"):
        clocked.customer(key)
    clocked.plan("p", fee("100"))
    first, second = clocked.subscribe("acme", "p"), clocked.subscribe("globex", "p")
    coupon(clocked.api, "one", percent="5", max_redemptions=1)
    coupon(clocked.api, "old", percent="5", expires_at="2026-09-30T00:00:00Z")
    coupon(clocked.api, "euro", amount="5", currency="EUR")
    coupon(clocked.api, "any", percent="5")
    redeem(clocked.api, first, "one")
    redeem(clocked.api, first, "any")
    refusals = [(first, "any", "coupon_redeemed"), (second, "one", "coupon_unavailable")]
    refusals += [(first, "old", "coupon_unavailable"), (first, "euro", "currency_mismatch")]
    refusals += [(first, "none", "coupon_not_found")]
    for subscription, key, code in refusals:
        answer = clocked.api.post(f"subscriptions/{subscription}/coupons", {"coupon": key})
        assert answer.json()["code"] == code
    assert CouponRedemption.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/percent"),
        ({"percent": "5", "amount": "5", "currency": "USD"}, "/percent"),
        ({"percent": "0"}, "/percent"),
        ({"percent": "100.5"}, "/percent"),
        ({"percent": "5", "currency": "USD"}, "/currency"),
        ({"amount": "5"}, "/currency"),
        ({"amount": "5.001", "currency": "USD"}, "/amount"),
        ({"amount": "-5", "currency": "USD"}, "/amount"),
        ({"percent": "5", "periods": 0}, "/periods"),
        ({"percent": "5", "max_redemptions": 0}, "/max_redemptions"),
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused(api: Api, fields: Row, pointer: str) -> None:
    answer = api.post("coupons", {"key": "c"} | fields)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_coupons_are_listed_and_belong_to_their_organization(api: Api, another_api: Api) -> None:
    made = coupon(api, "launch", percent="12.5", name="Launch")
    assert api.get("coupons").json()["data"] == [made] == [api.get("coupons/launch").json()]
    assert another_api.get("coupons/launch").status_code == 404
    assert api.post("coupons", {"key": "launch", "percent": "1"}).status_code == 409


def test_a_subscription_may_begin_with_a_coupon(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("100"))
    coupon(clocked.api, "once", percent="25", periods=1)
    body = {"customer": "acme", "plan": "p", "starts_at": "2026-09-01T00:00:00Z"}
    assert clocked.api.post("subscriptions", body | {"coupon": "none"}).status_code == 404
    assert clocked.api.get("subscriptions").json()["data"] == []
    # it started a month ago, and so does the coupon
    clocked.subscribe("acme", "p", "2026-09-01T00:00:00Z", coupon="once")
    clocked.advance("2026-11-01T00:00:00Z")
    assert [invoice["discount"] for invoice in clocked.invoices()] == ["25.00", "0.00"]
