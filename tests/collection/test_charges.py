"""Charge, fail, retry, refund, dispute, through the real client: money moves once, and both sides say the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.facade import invoices_of, issue_credit_note, pay_invoice, payments_of, refund_payment
from collection.models import InvoiceCollection, ProviderPayment, ProviderRefund
from collection.services.customers import payment_page, payment_setup_page, take_customer
from collection.services.dunning import charge_now
from tests.collection.stripe_fake import Fault
from tests.collection.stripe_fake.state import ASKS, DECLINED, GOOD, POOR, SLOW
from tests.collection.vendor import Vendor

CHARGE, REFUND = "POST /v1/payment_intents", "POST /v1/refunds"

pytestmark = pytest.mark.django_db


def status(vendor: Vendor, pk: str) -> tuple[str, str]:
    found = invoices_of(vendor.organization.pk).get(pk=pk)
    return str(found.status), format(found.amount_due, "f")


def test_a_finalized_invoice_is_charged_and_paid(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(), "100.00")
    vendor.work()
    assert status(vendor, invoice.pk) == ("paid", "0.00")
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.hear()
    vendor.agrees()
    [payment] = payments_of(vendor.organization.pk)
    assert (payment.method, payment.amount) == ("stripe", 100)


def test_a_customer_without_a_card_is_not_charged(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(does=None))
    vendor.work()
    assert vendor.states() == []
    assert status(vendor, invoice.pk) == ("finalized", "100.00")
    vendor.agrees()


def test_a_refused_charge_is_made_again_on_its_days_and_then_no_more(vendor: Vendor) -> None:
    customer = vendor.customer(does=POOR)
    invoice = vendor.invoice(customer)
    vendor.work()
    assert vendor.states() == ["failed"]
    for days, charges in ((1, 2), (3, 3), (7, 4), (30, 4)):
        vendor.later(days=days)
        vendor.work()
        assert len(vendor.states()) == charges
    found = InvoiceCollection.objects.get(pk=invoice.pk)
    assert (found.failed_charges, found.last_error, found.next_charge_at) == (4, "insufficient_funds", None)
    assert vendor.fake.received(invoice.pk) == 0
    vendor.hear()
    vendor.agrees()


def test_a_charge_that_succeeds_after_two_refusals_pays_once(vendor: Vendor) -> None:
    customer = vendor.customer(does=None)
    vendor.card(customer, declines=[DECLINED, POOR])
    invoice = vendor.invoice(customer)
    for days in (0, 1, 3):
        vendor.later(days=days)
        vendor.work()
        vendor.hear()
    assert vendor.states() == ["failed", "failed", "succeeded"]
    assert status(vendor, invoice.pk) == ("paid", "0.00")
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.agrees()


def test_a_card_that_asks_for_its_owner_is_not_asked_again_by_itself(vendor: Vendor) -> None:
    vendor.invoice(vendor.customer(does=ASKS))
    for _ in range(3):
        vendor.work()
        vendor.later(days=5)
    assert vendor.states() == ["failed"]


def test_another_card_is_charged_at_once(vendor: Vendor) -> None:
    customer = vendor.customer(does=ASKS)
    invoice = vendor.invoice(customer)
    vendor.work()
    vendor.card(customer)
    vendor.work()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.hear()
    vendor.agrees()


@pytest.mark.parametrize("refused", ["", "insufficient_funds"])
def test_a_bank_debit_is_waited_for(vendor: Vendor, refused: str) -> None:
    invoice = vendor.invoice(vendor.customer(does=SLOW))
    vendor.work()
    assert vendor.states() == ["pending"]
    vendor.later(days=2)
    vendor.work()
    assert vendor.states() == ["pending"]
    assert vendor.differences() == []
    [intent] = vendor.fake.tables["payment_intent"]
    vendor.fake.settle(intent, refused)
    vendor.hear()
    assert vendor.states() == ["failed" if refused else "succeeded"]
    assert status(vendor, invoice.pk)[0] == ("finalized" if refused else "paid")
    vendor.agrees()


def test_what_a_bank_debit_came_to_is_found_without_any_webhook(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(does=SLOW))
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    vendor.fake.settle(intent)
    vendor.later(hours=2)
    vendor.work()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.agrees()


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


def test_a_dispute_that_is_won_changes_nothing(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    dispute = vendor.fake.dispute(intent)
    vendor.fake.close_dispute(dispute["id"], "won")
    vendor.hear()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.agrees()


def test_a_customer_pays_on_the_hosted_page(vendor: Vendor) -> None:
    customer = vendor.customer(does=None)
    invoice = vendor.invoice(customer)
    page = payment_page(invoice=invoice, now=vendor.now)
    session = page.rsplit("/", 1)[1]
    vendor.fake.pay_page(session)
    vendor.hear()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.work()
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.agrees()


@pytest.mark.parametrize("does", [GOOD, SLOW])
def test_the_card_of_a_page_is_not_charged_for_what_was_paid_there(vendor: Vendor, does: str) -> None:
    customer = vendor.customer(does=None)
    invoice = vendor.invoice(customer)
    session = payment_page(invoice=invoice, now=vendor.now).rsplit("/", 1)[1]
    intent = vendor.fake.pay_page(session, does)
    vendor.receive(next(one for one in vendor.fake.events if one["type"] == "payment_method.attached"))
    vendor.work()
    vendor.work()
    assert vendor.states() == []
    if does == SLOW:
        vendor.fake.settle(intent["id"])
    vendor.hear()
    assert status(vendor, invoice.pk)[0] == "paid"
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.agrees()


def test_what_is_paid_twice_goes_back(vendor: Vendor) -> None:
    customer = vendor.customer(does=None)
    invoice = vendor.invoice(customer)
    pages = [payment_page(invoice=invoice, now=vendor.now).rsplit("/", 1)[1] for _ in range(2)]
    for session in pages:
        vendor.fake.pay_page(session)
    vendor.hear()
    vendor.work()
    vendor.hear()
    assert vendor.fake.received(invoice.pk) == 20000
    assert vendor.fake.kept(invoice.pk) == 10000
    assert sorted(ProviderPayment.objects.values_list("surplus", flat=True)) == [0, 100]
    vendor.agrees()


def test_a_card_given_on_the_page_for_it_pays_what_is_open(vendor: Vendor) -> None:
    customer = vendor.customer(does=None)
    invoice = vendor.invoice(customer)
    session = payment_setup_page(customer=customer, now=vendor.now).rsplit("/", 1)[1]
    vendor.fake.fill_in_page(session)
    vendor.hear()
    vendor.work()
    vendor.hear()
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.agrees()


def test_a_charge_that_is_not_sent_yet_is_dropped_once_the_money_came_otherwise(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    pay_invoice(invoice=invoice, now=vendor.now, method="bank_transfer")
    vendor.work()
    assert vendor.states() == ["cancelled"]
    assert vendor.fake.received(invoice.pk) == 0
    vendor.agrees()


def test_a_part_paid_otherwise_leaves_the_rest_to_be_charged(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    pay_invoice(invoice=invoice, now=vendor.now, amount=invoice.total * 2 / 5, method="bank_transfer")
    vendor.work()
    vendor.work()
    assert vendor.states() == ["cancelled", "succeeded"]
    assert vendor.fake.received(invoice.pk) == 6000
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.hear()
    vendor.agrees()


def test_asked_to_charge_twice_it_is_charged_once(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    calls = {charge_now(invoice=invoice, now=vendor.now).pk for _ in range(3)}  # type: ignore[union-attr]
    assert len(calls) == 1
    vendor.work()
    assert charge_now(invoice=invoice, now=vendor.now) is None
    assert vendor.fake.received(invoice.pk) == 10000


def test_a_card_that_was_taken_away_is_charged_no_more(vendor: Vendor) -> None:
    customer = vendor.customer()
    [card] = vendor.fake.tables["payment_method"]
    vendor.fake.detach(card)
    vendor.hear()
    vendor.invoice(customer)
    vendor.work()
    assert vendor.states() == []


def test_a_customer_deleted_at_stripe_is_charged_no_more(vendor: Vendor) -> None:
    customer = vendor.customer()
    [at_stripe] = vendor.fake.tables["customer"]
    vendor.fake.delete_customer(at_stripe)
    vendor.hear()
    vendor.invoice(customer)
    vendor.work()
    assert vendor.states() == []
    vendor.agrees()


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("path", [CHARGE, REFUND])
def test_whatever_happens_on_the_way_money_moves_once(vendor: Vendor, path: str, fault: Fault) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.fake.fail(path, fault, fault)
    vendor.work()
    vendor.later(minutes=30)
    vendor.work()
    vendor.later(hours=24)  # a key that remembers an error that nothing came of is good for nothing before
    vendor.work()
    vendor.work()
    [payment] = payments_of(vendor.organization.pk)
    refund_payment(payment=payment, now=vendor.now)
    vendor.work()
    vendor.later(minutes=30)
    vendor.work()
    vendor.later(hours=24)
    vendor.work()
    vendor.work()
    vendor.hear()
    assert (vendor.states()[-1], vendor.states("refund")[-1]) == ("succeeded", "succeeded")
    assert vendor.fake.received(invoice.pk) == 10000
    assert vendor.fake.kept(invoice.pk) == 0
    vendor.agrees()


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_a_call_that_was_cut_off_for_more_than_a_day_is_looked_up(vendor: Vendor, fault: Fault) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.fake.fail(CHARGE, fault)
    vendor.work()
    vendor.later(hours=30)
    vendor.fake.forget_keys()
    vendor.work()
    vendor.work()
    assert vendor.fake.received(invoice.pk) == 10000
    assert status(vendor, invoice.pk)[0] == "paid"
    vendor.hear()
    vendor.agrees()


def test_a_webhook_may_come_before_the_answer(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.fake.fail(CHARGE, Fault.CUT_AFTER)
    vendor.work()
    assert vendor.states() == ["pending"]
    vendor.hear()
    assert vendor.states() == ["succeeded"]
    vendor.later(hours=1)
    vendor.work()
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.agrees()


def test_learning_of_a_card_charges_what_is_open_once(vendor: Vendor) -> None:
    customer = vendor.customer(does=None)
    invoice = vendor.invoice(customer)
    [at_stripe] = vendor.fake.tables["customer"]
    vendor.fake.attach(at_stripe)
    for _ in range(3):
        take_customer(organization_id=vendor.organization.pk, stripe_customer=at_stripe, now=vendor.now)
        vendor.work()
    assert vendor.states() == ["succeeded"]
    assert vendor.fake.received(invoice.pk) == 10000


def test_the_hosted_page_shows_the_lines_of_the_invoice(vendor: Vendor) -> None:
    customer = vendor.customer(does=None, tax_rate=Decimal("0.19"))
    invoice = vendor.invoice(customer)
    payment_page(invoice=invoice, now=vendor.now)
    [session] = vendor.fake.tables["checkout.session"].values()
    lines = [one["price_data"] for one in session["_form"]["line_items"].values()]
    assert [(one["product_data"]["name"], one["unit_amount"]) for one in lines] == [("Work", "10000"), ("Tax", "1900")]
    pay_invoice(invoice=invoice, now=vendor.now, amount=Decimal(19))
    invoice.refresh_from_db()
    payment_page(invoice=invoice, now=vendor.now)
    *_, session = vendor.fake.tables["checkout.session"].values()
    lines = [one["price_data"] for one in session["_form"]["line_items"].values()]
    assert [one["unit_amount"] for one in lines] == ["10000"]
