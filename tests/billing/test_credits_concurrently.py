"""Transactions that use the same credit, charge or coupon at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from billing.credits.charges import create_charge, invoice_charge
from billing.credits.coupons import CouponUnavailable, get_coupon, redeem_coupon
from billing.facade import close_month, get_subscription
from billing.invariants import grants_are_the_sum_of_their_movements, invoices_used_the_credit_they_say
from billing.models import CouponRedemption, CreditGrant, OneOffCharge
from kernel.errors import TaximeterError
from kernel.period import Month
from tests.api import Api
from tests.billing.test_credits import grant, statement

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 2, tzinfo=UTC)
Make = Callable[..., Any]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all at the same time; answers what each returned, or the error it was refused with."""
    start = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        start.wait()
        try:
            answers[index] = work()
        except TaximeterError as error:
            answers[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_months_closed_at_once_draw_one_grant_to_its_last_cent(vendor: Api, subscribe: Make) -> None:
    for index in range(6):
        subscribe("acme", "seat", "2026-09-01T00:00:00Z", seats=index + 1)
    grant(vendor, amount="500", effective_at="2026-09-01T00:00:00Z")
    at_once(
        *(
            lambda month=month: close_month(organization=vendor.organization, month=month, now=NOW)
            for month in (Month(2026, 9), Month(2026, 10))
        )
    )
    invoices = vendor.get("invoices").json()["data"]
    # (1 + … + 6) x 30 = 630 a month: 500 of the 1,260 are prepaid
    assert len(invoices) == 12
    assert sum(float(invoice["credits_applied"]) for invoice in invoices) == 500
    assert sum(float(invoice["amount_due"]) for invoice in invoices) == 760
    assert CreditGrant.objects.get().balance == 0
    assert statement(vendor)[-1][2] == "0.00"
    for law in (grants_are_the_sum_of_their_movements, invoices_used_the_credit_they_say):
        assert not list(law.violations(vendor.organization.pk))


def test_a_charge_by_hand_and_a_closed_month_draw_one_grant(vendor: Api, subscribe: Make) -> None:
    subscribe("acme", "seat", "2026-10-01T00:00:00Z", seats=2)
    grant(vendor, amount="50", effective_at="2026-09-01T00:00:00Z")
    [acme] = [one.customer for one in CreditGrant.objects.select_related("customer")]
    charges = [create_charge(customer=acme, description="x", unit_amount=Decimal(20), now=NOW) for _ in range(3)]
    at_once(
        lambda: close_month(organization=vendor.organization, month=Month(2026, 10), now=NOW),
        *(lambda charge=charge: invoice_charge(charge=charge, now=NOW) for charge in charges),
    )
    invoices = vendor.get("invoices").json()["data"]
    assert sorted(invoice["total"] for invoice in invoices) == ["20.00", "20.00", "20.00", "60.00"]
    assert sum(float(invoice["credits_applied"]) for invoice in invoices) == 50
    assert CreditGrant.objects.get().balance == 0


def test_a_charge_is_invoiced_once(vendor: Api) -> None:
    vendor.customer("acme")
    made = vendor.post("charges", {"customer": "acme", "description": "x", "amount": "5"}).json()
    charge = OneOffCharge.objects.get(pk=made["id"])
    answers = at_once(*[lambda: invoice_charge(charge=charge, now=NOW)] * 3)
    assert sorted(getattr(answer, "code", "invoiced") for answer in answers) == [
        "charge_billed",
        "charge_billed",
        "invoiced",
    ]
    assert len(vendor.get("invoices").json()["data"]) == 1


def test_a_coupon_is_not_redeemed_more_often_than_it_may(vendor: Api, subscribe: Make) -> None:
    ids = [subscribe(f"customer-{index}", "seat", seats=1) for index in range(4)]
    vendor.post("coupons", {"key": "two", "percent": "5", "max_redemptions": 2})
    organization_id = vendor.organization.pk
    coupon = get_coupon(organization_id=organization_id, coupon="two")
    found = [get_subscription(organization_id=organization_id, subscription=one) for one in ids]
    answers = at_once(*(lambda one=one: redeem_coupon(subscription=one, coupon=coupon, now=NOW) for one in found))
    assert sum(isinstance(answer, CouponUnavailable) for answer in answers) == 2
    assert CouponRedemption.objects.count() == 2
