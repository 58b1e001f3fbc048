"""Money on its way, in the console: connecting Stripe, what is asked of it, how an invoice stands, what differs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.facade import add_member, create_user
from collection.facade import customer_known_to_stripe, policy_of, stripe_account_of
from console.collecting_words import DIFFERENCES
from tests.collection.stripe_fake import StripeFake
from tests.collection.stripe_fake.server import KEY, SECRET
from tests.collection.stripe_fake.state import POOR
from tests.collection.vendor import Vendor, make_vendor
from tests.console.conftest import PASSWORD, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def fake(settings: Any) -> Iterator[StripeFake]:
    logging.getLogger("stripe").setLevel(logging.WARNING)
    running = StripeFake()
    settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT_SECONDS = running.address, 5
    yield running
    running.stop()


@pytest.fixture
def paid_vendor(db: None, fake: StripeFake) -> Vendor:
    return make_vendor(fake)


def browser(vendor: Vendor, role: str = "owner") -> Client:
    user = create_user(email=f"{role}@stripe.example", password=PASSWORD)
    add_member(organization=vendor.organization, user=user, role=role)
    client = signed_in(user)
    client.post("/confirm", {"password": PASSWORD})
    return client


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_stripe_is_connected_tested_and_disconnected(fake: StripeFake, paid_vendor: Vendor) -> None:
    client, organization_id = browser(paid_vendor), paid_vendor.organization.pk
    client.post("/taking-payments/stripe/disconnect")
    assert "Connect Stripe" in text_of(client, "/taking-payments")
    assert client.post("/taking-payments/stripe", {"api_key": "sk_test_wrong"}).status_code == 422
    assert client.post("/taking-payments/stripe", {"api_key": KEY}).status_code == 302
    client.post("/taking-payments/stripe/secret", {"webhook_secret": SECRET})
    assert stripe_account_of(organization_id).webhook_secret
    shown = client.get("/taking-payments").content.decode()
    assert "sk_test_…0001" in shown
    assert "/webhooks/stripe/" in shown
    assert KEY not in shown
    assert SECRET not in shown
    assert "takes the key" in text_of(client, client.post("/taking-payments/stripe/test")["Location"])


def test_another_stripe_account_is_moved_to_where_that_is_ticked(paid_vendor: Vendor, settings: Any) -> None:
    client = browser(paid_vendor)
    assert "another account than the last" not in text_of(client, "/taking-payments/stripe")
    paid_vendor.customer()
    assert "another account than the last" in text_of(client, "/taking-payments/stripe")
    other = StripeFake()
    try:
        settings.STRIPE_API_BASE = other.address
        refused = client.post("/taking-payments/stripe", {"api_key": KEY})
        assert (refused.status_code, "say that it is of another account" in refused.content.decode()) == (409, True)
        fields = {"api_key": KEY, "is_another_account": "on"}
        assert client.post("/taking-payments/stripe", fields).status_code == 302
    finally:
        other.stop()
    assert customer_known_to_stripe(paid_vendor.organization.pk) is None


def test_how_is_collected_is_changed(paid_vendor: Vendor) -> None:
    fields = {"is_active": "on", "provider": "stripe", "charge_at": "due", "lost_dispute": "write_off"}
    fields |= {"retry_days": "2, 4", "reminder_days": "7 -3 7", "suspend_after_days": "21", "give_up_after_days": ""}
    assert browser(paid_vendor, "finance").post("/taking-payments/policy", fields).status_code == 302
    found = policy_of(paid_vendor.organization.pk)
    assert (found.retry_days, found.reminder_days, found.suspend_after_days) == ([2, 4], [-3, 7], 21)
    wrong = browser(paid_vendor).post("/taking-payments/policy", {**fields, "retry_days": "often"})
    assert (wrong.status_code, "Write days as whole numbers" in wrong.content.decode()) == (422, True)


@pytest.mark.parametrize(("role", "allowed"), [("admin", True), ("finance", False), ("developer", False)])
def test_keys_are_given_by_owners_and_admins(paid_vendor: Vendor, role: str, allowed: bool) -> None:
    client = browser(paid_vendor, role)
    assert (client.get("/taking-payments/stripe").status_code == 200) is allowed
    assert ("/webhooks/stripe/" in client.get("/taking-payments").content.decode()) is allowed


def test_an_invoice_says_how_collecting_it_stands(paid_vendor: Vendor) -> None:
    invoice = paid_vendor.invoice(paid_vendor.customer(does=POOR))
    paid_vendor.work()
    client = browser(paid_vendor)
    page = client.get(f"/invoices/{invoice.pk}").content.decode()
    assert "retrying" in page
    assert "Insufficient funds" in page
    [link] = re.findall(r'value="http://127.0.0.1:8000(/pay/[^"]+)"', page)
    assert "Pay $100.00" in Client().get(link).content.decode()
    assert invoice.number is not None
    assert invoice.number in text_of(client, "/collecting?state=retrying")
    card = next(iter(paid_vendor.fake.tables["payment_method"].values()))
    card["_does"] = "visa"
    for _ in range(2):
        assert client.post(f"/invoices/{invoice.pk}/charge").status_code == 302
    paid_vendor.work()
    assert "closed" in text_of(client, f"/invoices/{invoice.pk}")
    assert paid_vendor.fake.received(invoice.pk) == 10000
    calls = text_of(client, "/payments")
    assert "insufficient_funds" in calls
    assert "succeeded" in calls


def test_differences_say_what_to_do_until_they_are_resolved(paid_vendor: Vendor) -> None:
    paid_vendor.invoice(paid_vendor.customer())
    paid_vendor.work()
    [intent] = paid_vendor.fake.tables["payment_intent"]
    paid_vendor.fake.create_refund({"payment_intent": intent, "amount": "2500"})
    paid_vendor.differences()
    client = browser(paid_vendor)
    shown = text_of(client, "/payments/differences")
    assert DIFFERENCES["refund_missing_here"].says in shown
    assert "25 USD succeeded" in shown
    assert "1 difference between" in re.sub(r"\s+", " ", text_of(client, "/payments"))
    paid_vendor.hear()
    paid_vendor.differences()
    assert "Both sides say the same" in text_of(client, "/payments/differences")
    assert "25 USD succeeded" in text_of(client, "/payments/differences?show=resolved")


def test_a_refund_that_was_refused_is_repeated_by_hand(paid_vendor: Vendor) -> None:
    from billing.facade import payments_of, refund_payment

    paid_vendor.invoice(paid_vendor.customer())
    paid_vendor.work()
    [payment] = payments_of(paid_vendor.organization.pk)
    refund_payment(payment=payment, now=paid_vendor.now)
    paid_vendor.work()
    [refund] = paid_vendor.fake.tables["refund"]
    paid_vendor.fake.fail_refund(refund)
    paid_vendor.hear()
    client, [call] = browser(paid_vendor), paid_vendor.calls("refund")
    for _ in range(2):
        client.post(f"/payments/calls/{call.pk}/repeat")
    paid_vendor.work()
    paid_vendor.hear()
    assert paid_vendor.states("refund") == ["failed", "succeeded"]
    paid_vendor.agrees()


def test_a_transfer_is_noted_and_matched(paid_vendor: Vendor) -> None:
    invoice = paid_vendor.invoice(paid_vendor.customer(does=None))
    client = browser(paid_vendor)
    fields = {"reference": "77", "amount": "40", "currency": "usd", "received_on": "2026-11-02", "text": "thanks"}
    assert client.post("/payments/transfers/new", fields).status_code == 302
    page = client.get("/payments/transfers?unmatched=1").content.decode()
    [match] = re.findall(r'href="(/payments/transfers/[^"]+/match)"', page)
    assert client.post(match, {"invoice": "INV-none"}).status_code in {404, 422}
    assert client.post(match, {"invoice": invoice.number}).status_code == 302
    invoice.refresh_from_db()
    assert invoice.amount_due == Decimal(60)


def test_a_customer_is_given_a_link_for_a_card_and_reinstated(paid_vendor: Vendor) -> None:
    from collection.facade import change_policy

    change_policy(organization_id=paid_vendor.organization.pk, now=paid_vendor.now, suspend_after_days=3)
    customer = paid_vendor.customer(does=None)
    paid_vendor.invoice(customer)
    paid_vendor.later(days=60)
    paid_vendor.work()
    client = browser(paid_vendor)
    assert "suspended" in text_of(client, f"/customers/{customer.pk}/paying")
    client.post(f"/customers/{customer.pk}/paying/reinstate")
    client.post(f"/customers/{customer.pk}/paying/card")
    page = client.get(f"/customers/{customer.pk}/paying").content.decode()
    assert "https://checkout.stripe.com/" in page
    assert "suspended" not in text_of(client, f"/customers/{customer.pk}/paying")
    client.post(f"/customers/{customer.pk}/paying/change", {"provider": "manual"})
    assert "bank transfer" in text_of(client, f"/customers/{customer.pk}/paying")


def test_every_kind_of_difference_has_advice() -> None:
    import inspect

    from collection.domain import comparing
    from collection.queries import comparison
    from collection.services import usage_comparison

    written = "".join(inspect.getsource(one) for one in (comparison, usage_comparison))
    kinds = set(re.findall(r'(?:Difference|_of_call)\(\s*"([a-z_]+)"', written))
    ends = re.findall(r'f"\{what\}(_[a-z_]+)"', inspect.getsource(comparing))
    kinds |= {f"{what}{end}" for what in ("payment", "refund", "dispute") for end in ends}
    assert kinds == set(DIFFERENCES)


def test_lists_ask_as_much_for_many_as_for_few(paid_vendor: Vendor) -> None:
    client, customer = browser(paid_vendor), paid_vendor.customer(does=POOR)

    def asked() -> list[int]:
        counts = []
        for path in ("/payments", "/collecting", "/payments/differences", "/payments/transfers"):
            with CaptureQueriesContext(connection) as found:
                text_of(client, path)
            counts.append(len(found))
        return counts

    def more() -> None:
        paid_vendor.invoice(customer)
        paid_vendor.work()

    more()
    few = asked()
    more()
    more()
    assert asked() == few
