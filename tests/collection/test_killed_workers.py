"""Workers killed with `kill -9` while Stripe works on what they asked for: money moves once all the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.db import connection

from billing.facade import payments_of, refund_payment
from kernel.clock import to_rfc3339
from launcher.paths import ROOT
from tests.collection.stripe_fake import Fault
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db(transaction=True)

CHARGE, REFUND = "POST /v1/payment_intents", "POST /v1/refunds"


def database_url() -> str:
    at = connection.settings_dict
    host, port = quote(str(at["HOST"]), safe=""), at["PORT"] or 5432
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{host}:{port}/{at['NAME']}"


@contextmanager
def killed_worker(vendor: Vendor, path: str, moment: str) -> Iterator[None]:
    """A worker dies while Stripe is about to work on (or has worked on) its request."""
    command = [sys.executable, "-m", "tests.collection.worker", database_url(), vendor.fake.address]
    with vendor.fake.holding(path, moment) as hold:
        worker = subprocess.Popen([*command, to_rfc3339(vendor.now)], cwd=ROOT)
        try:
            assert hold.reached.wait(60), "the worker never asked"
        finally:
            worker.kill()
            worker.wait(10)
        yield


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_while_it_charges_charges_once(vendor: Vendor, moment: str) -> None:
    invoice = vendor.invoice(vendor.customer())
    with killed_worker(vendor, CHARGE, moment):
        assert vendor.states() == ["sending"]
        vendor.work()
        assert vendor.states() == ["sending"], "nobody else takes what may be under way"
    vendor.later(minutes=11)
    vendor.work()
    assert vendor.states() == ["succeeded"]
    vendor.hear()
    assert vendor.fake.received(invoice.pk) == 10000
    assert [str(one.amount) for one in payments_of(vendor.organization.pk)] == ["100.00"]
    vendor.agrees()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_while_it_refunds_refunds_once(vendor: Vendor, moment: str) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [payment] = payments_of(vendor.organization.pk)
    refund_payment(payment=payment, now=vendor.now)
    with killed_worker(vendor, REFUND, moment):
        assert vendor.states("refund") == ["sending"]
    vendor.later(minutes=11)
    vendor.work()
    vendor.hear()
    assert vendor.states("refund") == ["succeeded"]
    assert (vendor.fake.received(invoice.pk), vendor.fake.kept(invoice.pk)) == (10000, 0)
    vendor.agrees()


def test_a_worker_killed_over_an_event_leaves_it_to_the_next(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.fake.fail(CHARGE, Fault.CUT_AFTER)
    vendor.work()
    vendor.receive()
    with killed_worker(vendor, "GET /v1/payment_intents/", "before"):
        assert vendor.states() == ["pending"]
    vendor.later(minutes=6)
    vendor.work()
    vendor.work()
    assert vendor.states() == ["succeeded"]
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.agrees()


def test_the_answer_of_a_killed_worker_is_told_by_webhook_first(vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer())
    with killed_worker(vendor, CHARGE, "after"):
        vendor.hear()
        assert vendor.states() == ["succeeded"]
    vendor.later(days=2)
    vendor.work()
    assert vendor.fake.received(invoice.pk) == 10000
    vendor.agrees()


def test_two_workers_at_once_charge_each_invoice_once(vendor: Vendor) -> None:
    customer = vendor.customer()
    invoices = [vendor.invoice(customer, f"{n}.00") for n in range(1, 21)]
    command = [sys.executable, "-m", "tests.collection.worker", database_url(), vendor.fake.address]
    workers = [subprocess.Popen([*command, to_rfc3339(vendor.now)], cwd=ROOT) for _ in range(2)]
    for worker in workers:
        assert worker.wait(90) == 0
    charged = [key for method, path, key in vendor.fake.requests if (method, path) == ("POST", "/v1/payment_intents")]
    assert len(charged) == len(set(charged)) == 20
    assert [vendor.fake.received(one.pk) for one in invoices] == [n * 100 for n in range(1, 21)]
    vendor.agrees()
