"""Calls that are cut off, answered with errors or not at all: money moves once all the same."""

from __future__ import annotations

import pytest

from billing.facade import invoices_of, payments_of, refund_payment
from tests.collection.stripe_fake import Fault
from tests.collection.vendor import Vendor

CHARGE, REFUND = "POST /v1/payment_intents", "POST /v1/refunds"

pytestmark = pytest.mark.django_db


def status(vendor: Vendor, pk: str) -> tuple[str, str]:
    found = invoices_of(vendor.organization.pk).get(pk=pk)
    return str(found.status), format(found.amount_due, "f")


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
