"""Refunds of payments that are disputed: what a dispute holds is never sent, and is asked for once it is won."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.facade import payments_of, refund_payment
from collection.models import ProviderCall, ProviderPayment
from collection.providers.contract import REFUSED, Answer
from collection.queries.refundable import refundable
from collection.services.again import NothingToRepeat, repeat_call
from collection.services.answers import NEVER_ARRIVED, store_answer
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


def paid(vendor: Vendor) -> str:
    """An invoice over 100.00 that was charged; answers the id of its payment at Stripe."""
    vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    return str(intent)


def refund(vendor: Vendor, amount: str) -> None:
    [payment] = payments_of(vendor.organization.pk).filter(amount__gt=0)
    refund_payment(payment=payment, now=vendor.now, amount=Decimal(amount))


def calls(vendor: Vendor) -> list[tuple[str, str, str]]:
    return [(f"{one.amount:.2f}", str(one.state), one.error_code) for one in vendor.calls("refund")]


def owed(vendor: Vendor) -> list[tuple[str, str]]:
    return [(subject, here) for kind, subject, here, _ in vendor.differences() if kind == "refund_not_made"]


def repeat(vendor: Vendor, call: str) -> None:
    repeat_call(call=ProviderCall.objects.get(pk=call), now=vendor.now, actor="ops@example.com")


def test_a_refund_that_never_arrived_is_ordered_again_without_what_a_dispute_holds(vendor: Vendor) -> None:
    intent = paid(vendor)
    refund(vendor, "100")
    [call] = vendor.calls("refund")
    dispute = vendor.fake.dispute(intent, 6000)
    vendor.hear()
    ProviderCall.objects.filter(pk=call.pk).update(state="unknown")
    store_answer(call_id=call.pk, answer=Answer(REFUSED, code=NEVER_ARRIVED, detail=""), now=vendor.now)
    held = ("60.00", "failed", "payment_disputed")
    assert calls(vendor) == [("100.00", "failed", "never_arrived"), ("40.00", "pending", ""), held]
    vendor.work()
    assert owed(vendor) == [], "60 are held, 40 are back"
    with pytest.raises(NothingToRepeat, match=r"holds 60\.00 USD"):
        repeat(vendor, call.pk)
    vendor.fake.close_dispute(dispute["id"], "won")
    vendor.hear()
    last = vendor.calls("refund")[-1].pk
    assert owed(vendor) == [(last, "refund 60 USD")]
    repeat(vendor, last)
    with pytest.raises(NothingToRepeat, match="already"):
        repeat(vendor, last)
    vendor.work()
    vendor.hear()
    assert vendor.fake.kept(vendor.calls("refund")[0].invoice_id or "") == 0
    vendor.agrees()


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_refund_during_a_dispute_sends_what_is_free_and_keeps_the_rest_in_sight(vendor: Vendor, outcome: str) -> None:
    intent = paid(vendor)
    dispute = vendor.fake.dispute(intent, 6000)
    vendor.hear()
    refund(vendor, "70")
    vendor.work()
    assert calls(vendor) == [("40.00", "succeeded", ""), ("30.00", "failed", "payment_disputed")]
    assert owed(vendor) == []
    vendor.fake.close_dispute(dispute["id"], outcome)
    vendor.hear()
    held = vendor.calls("refund")[-1].pk
    assert owed(vendor) == ([(held, "refund 30 USD")] if outcome == "won" else [])
    if outcome == "won":
        repeat(vendor, held)
        vendor.work()
    vendor.agrees()
    assert sum(one.amount for one in payments_of(vendor.organization.pk)) == (30 if outcome == "won" else 0)


def test_an_inquiry_holds_no_money(vendor: Vendor) -> None:
    """The payer's bank asks: nothing is withdrawn, and a refund is the usual reply."""
    intent = paid(vendor)
    vendor.fake.dispute(intent)["status"] = "warning_needs_response"
    vendor.hear()
    assert refundable(ProviderPayment.objects.get()) == 100
    for one in vendor.fake.tables["dispute"].values():
        one["status"] = "needs_response"
    vendor.fake.tell("charge.dispute.updated", one)
    vendor.hear()
    assert refundable(ProviderPayment.objects.get()) == 0
