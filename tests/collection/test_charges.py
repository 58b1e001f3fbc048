"""Charge, fail, retry, refund, dispute, through the real client: money moves once, and both sides say the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.facade import invoices_of, pay_invoice, payments_of
from collection.models import InvoiceCollection, ProviderPayment
from collection.services.customers import payment_page, payment_setup_page, take_customer
from collection.services.dunning import charge_now
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
    calls = {charge_now(invoice=invoice, now=vendor.now).pk for _ in range(3)}
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
