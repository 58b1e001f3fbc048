"""Many invoices, each with a story of charges, refunds and disputes, while the network is cut, servers fail, and
workers die between any two steps. Afterwards every cent is where both sides say it is."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from billing.facade import Customer, Invoice, invoices_of, payments_of, refund_payment
from collection.models import ProviderCall
from collection.services import answers, outbox
from collection.services.again import repeat_call
from collection.services.customers import payment_page
from tests.collection.stripe_fake import Fault
from tests.collection.stripe_fake.state import DECLINED, GOOD, POOR, SLOW
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db

_PATHS = [f"{method} /v1/{path}" for method in ("POST", "GET") for path in ("payment_intents", "refunds", "disputes")]


class Killed(BaseException):
    """The worker is gone: nothing after this happens, not even what handles errors."""


def dying(rng: random.Random, store: Any) -> Any:
    """`store_answer`, by a worker that may die before it has begun, or when it has just committed."""

    def store_or_die(**fields: Any) -> None:
        fate = rng.random()
        if fate < 0.15:
            raise Killed
        store(**fields)
        if fate > 0.85:
            raise Killed

    return store_or_die


def worked(vendor: Vendor) -> None:
    """A worker looks, and another one where it dies."""
    for _ in range(4):
        try:
            vendor.work()
        except Killed:
            continue
        return


def happens(vendor: Vendor, rng: random.Random, invoice: Invoice, customer: Customer) -> None:
    """Something that people do, here or at Stripe."""
    intents = [one for one in vendor.fake.payments(invoice.pk) if one["status"] == "succeeded"]
    noted = [one for one in payments_of(vendor.organization.pk, invoice_id=invoice.pk) if one.amount > 0]
    what = rng.choice(["refund", "refund there", "dispute", "lose", "card", "page", "debit", "nothing"])
    if what == "refund" and noted:
        one = rng.choice(noted)
        left = min(one.amount + sum(each.amount for each in one.refunds.all()), _paid(invoice))
        if left > 0:
            refund_payment(payment=one, now=vendor.now, amount=min(left, Decimal(rng.choice([5, 20, 100]))))
    elif what == "refund there" and intents:
        vendor.fake.refund_some(rng.choice(intents)["id"], 700)
    elif what == "dispute" and intents:
        vendor.fake.dispute_what_is_left(rng.choice(intents)["id"])
    elif what == "lose":
        for one in vendor.fake.open_disputes(invoice.pk):
            vendor.fake.close_dispute(one["id"], rng.choice(["lost", "won"]))
    elif what == "card":
        vendor.fake.attach(vendor.at_stripe(customer), GOOD)
    elif what == "page" and invoice.amount_due > 0 and invoice.status == "finalized":
        vendor.fake.pay_page(payment_page(invoice=invoice, now=vendor.now).rsplit("/", 1)[1])
    elif what == "debit":
        for one in vendor.fake.payments(invoice.pk):
            if one["status"] == "processing":
                vendor.fake.settle(one["id"], rng.choice(["", POOR]))


def _paid(invoice: Invoice) -> Decimal:
    return sum((one.amount for one in invoice.payments.all()), Decimal(0))


def live(vendor: Vendor, rng: random.Random, told: list[tuple[Invoice, Customer]]) -> None:
    """Some days on which things happen and go wrong."""
    for _ in range(6):
        for _ in range(3):
            vendor.fake.fail(rng.choice(_PATHS), rng.choice(list(Fault)))
        worked(vendor)
        for invoice, customer in told:
            invoice.refresh_from_db()
            faults, vendor.fake.faults = vendor.fake.faults, []  # people's browsers are not what is cut off
            happens(vendor, rng, invoice, customer)
            vendor.fake.faults = faults
        if rng.random() < 0.5:
            vendor.hear(rng)
        hours = rng.choice([1, 12, 30])
        vendor.later(hours=hours)
        if hours > 24:
            vendor.fake.forget_keys()
    vendor.fake.faults.clear()


def calm_down(vendor: Vendor, rng: random.Random, told: list[tuple[Invoice, Customer]]) -> None:
    """Everything under way comes to its end, and somebody does what differences say."""
    for invoice, _ in told:
        for one in vendor.fake.payments(invoice.pk):
            if one["status"] == "processing":
                vendor.fake.settle(one["id"])
        for one in vendor.fake.open_disputes(invoice.pk):
            vendor.fake.close_dispute(one["id"], rng.choice(["lost", "won"]))
    for _ in range(6):
        vendor.later(hours=25)
        vendor.fake.forget_keys()
        vendor.work()
        vendor.hear(rng)
        # What a dispute had kept from going back a person has made again, once it is over.
        for kind, call, *_ in vendor.differences():
            if kind == "refund_not_made":
                repeat_call(call=ProviderCall.objects.get(pk=call), now=vendor.now, actor="ops@example.com")


@pytest.mark.parametrize("seed", range(6))
def test_every_cent_is_where_both_sides_say(vendor: Vendor, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = random.Random(seed)
    doings = [GOOD, GOOD, DECLINED, POOR, SLOW]
    customers = [vendor.customer(f"c{n}", does=rng.choice(doings)) for n in range(4)]
    told = [(vendor.invoice(one, str(rng.randint(10, 300))), one) for one in customers for _ in range(3)]
    monkeypatch.setattr(outbox, "store_answer", dying(rng, answers.store_answer))
    live(vendor, rng, told)
    monkeypatch.setattr(outbox, "store_answer", answers.store_answer)
    calm_down(vendor, rng, told)
    for invoice, _ in told:
        made = [one["metadata"].get("taximeter_call") for one in vendor.fake.payments(invoice.pk)]
        by_calls = [one for one in made if one]
        assert len(by_calls) == len(set(by_calls)), "no call has made two payments"
        books = sum((one.amount for one in payments_of(vendor.organization.pk, invoice_id=invoice.pk)), Decimal(0))
        assert books * 100 == vendor.fake.kept(invoice.pk), invoice.number
        assert 0 <= books <= invoice.total
    assert all(one.amount_due == one.total - _paid(one) for one in invoices_of(vendor.organization.pk))
    vendor.agrees()
