"""Refunds, credit notes and disputes, whoever began them: the money goes back once, and both sides say the same."""

from __future__ import annotations

import pytest

from billing.facade import invoices_of, issue_credit_note, payments_of, refund_payment
from collection.models import ProviderCall, ProviderRefund
from collection.providers.contract import REFUSED, Answer
from collection.services.answers import NEVER_ARRIVED, store_answer
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


def status(vendor: Vendor, pk: str) -> tuple[str, str]:
    found = invoices_of(vendor.organization.pk).get(pk=pk)
    return str(found.status), format(found.amount_due, "f")


@pytest.mark.parametrize("amount", ["100.00", "30.00"])
def test_a_refund_goes_back_by_stripe(vendor: Vendor, amount: str) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [payment] = payments_of(vendor.organization.pk)
    refund_payment(payment=payment, now=vendor.now, amount=payment.amount.__class__(amount))
    vendor.work()
    vendor.hear()
    vendor.work()
    assert vendor.states("refund") == ["succeeded"]
    assert status(vendor, invoice.pk) == ("finalized", amount)
    assert vendor.fake.kept(invoice.pk) == 10000 - int(amount.replace(".", ""))
    assert vendor.states() == ["succeeded"], "what went back is not charged again by itself"
    vendor.agrees()


def test_a_refund_that_is_under_way_is_no_difference(vendor: Vendor) -> None:
    vendor.invoice(vendor.customer())
    vendor.work()
    [payment] = payments_of(vendor.organization.pk)
    refund_payment(payment=payment, now=vendor.now)
    assert vendor.states("refund") == ["pending"]
    assert vendor.differences() == []
    vendor.later(hours=25)
    [call] = vendor.calls("refund")
    assert vendor.differences() == [("call_unanswered", call.pk, "refund 100 USD", "")]


def test_a_refund_made_at_stripe_is_made_here(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    vendor.fake.create_refund({"payment_intent": intent, "amount": "2500"})
    assert [kind for kind, *_ in vendor.differences()] == ["refund_missing_here"]
    vendor.hear()
    assert status(vendor, invoice.pk) == ("finalized", "25.00")
    assert vendor.states("refund") == []
    vendor.agrees()


def test_a_credit_note_of_a_paid_invoice_gives_back_by_stripe(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    paid = invoices_of(vendor.organization.pk).get(pk=invoice.pk)
    [line] = paid.lines.all()
    issue_credit_note(invoice=paid, now=vendor.now, lines={line.pk: line.amount / 4}, refund="refund")
    vendor.work()
    vendor.hear()
    assert vendor.states("refund") == ["succeeded"]
    assert vendor.fake.kept(invoice.pk) == 7500
    assert status(vendor, invoice.pk) == ("paid", "0.00")
    vendor.agrees()


def test_a_refund_that_fails_later_is_a_difference_until_it_is_made(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [payment] = payments_of(vendor.organization.pk)
    refund_payment(payment=payment, now=vendor.now)
    vendor.work()
    [refund] = vendor.fake.tables["refund"]
    vendor.fake.fail_refund(refund)
    vendor.hear()
    assert ProviderRefund.objects.get().status == "failed"
    [call] = vendor.calls("refund")
    assert [(kind, subject) for kind, subject, *_ in vendor.differences()] == [("refund_not_made", call.pk)]
    assert vendor.fake.kept(invoice.pk) == 10000


def test_a_lost_dispute_takes_the_money_back_and_the_invoice_is_due_again(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    dispute = vendor.fake.dispute(intent)
    vendor.hear()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.agrees()
    vendor.fake.close_dispute(dispute["id"], "lost")
    vendor.hear()
    vendor.later(days=60)
    vendor.work()
    assert status(vendor, invoice.pk) == ("finalized", "100.00")
    assert (vendor.states(), vendor.states("refund")) == (["succeeded"], [])
    assert vendor.fake.kept(invoice.pk) == 0
    vendor.agrees()


def test_a_refund_that_failed_is_asked_for_no_more_than_a_dispute_leaves(vendor: Vendor) -> None:
    vendor.invoice(vendor.customer())
    vendor.work()
    [payment] = payments_of(vendor.organization.pk)
    refund_payment(payment=payment, now=vendor.now)
    vendor.work()
    vendor.fake.fail_refund(next(iter(vendor.fake.tables["refund"])))
    [intent] = vendor.fake.tables["payment_intent"]
    dispute = vendor.fake.dispute(intent, 6000)
    vendor.hear()

    def owed() -> list[str]:
        return [here for kind, _, here, *_ in vendor.differences() if kind == "refund_not_made"]

    assert owed() == ["refund 40 USD"], "the dispute holds 60 of 100"
    vendor.fake.close_dispute(dispute["id"], "lost")
    vendor.hear()
    assert owed() == ["refund 40 USD"]
    [call] = vendor.calls("refund")
    ProviderCall.objects.filter(pk=call.pk).update(state="unknown")
    store_answer(call_id=call.pk, answer=Answer(REFUSED, code=NEVER_ARRIVED, detail=""), now=vendor.now)
    assert [f"{one.amount:f}" for one in ProviderCall.objects.filter(kind="refund", state="pending")] == ["40.00"]
    vendor.fake.dispute(intent, 4000)
    vendor.fake.close_dispute(list(vendor.fake.tables["dispute"])[-1], "lost")
    vendor.hear()
    ProviderCall.objects.filter(kind="refund").update(state="failed")
    assert owed() == [], "all of it is back"


def test_a_dispute_that_is_won_changes_nothing(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    dispute = vendor.fake.dispute(intent)
    vendor.fake.close_dispute(dispute["id"], "won")
    vendor.hear()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.agrees()
