"""Collecting over the API: choices, the account, links, bank transfers, differences."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.facade import create_api_key
from billing.facade import change_seller_profile, invoices_of, letter_context
from collection.models import BankTransfer, StripeAccount
from collection.services.accounts import change_policy
from collection.services.bank_transfers import record_bank_transfer
from tests.api import Api, make_api
from tests.collection.stripe_fake import Fault, StripeFake
from tests.collection.stripe_fake.server import KEY, SECRET
from tests.collection.stripe_fake.state import POOR
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


def put(api: Api, path: str, body: dict[str, Any]) -> Any:
    return api.client.put(f"/api/v1/{path}", data=body, content_type="application/json")


def test_the_policy_has_defaults_and_changes_in_part(db: None) -> None:
    api = make_api("New")
    assert api.get("collection_policy").json() == {
        "is_active": False,
        "provider": "manual",
        "charge_at": "finalized",
        "reminder_days": [-3, 1, 7, 14],
        "retry_days": [1, 3, 7],
        "suspend_after_days": None,
        "give_up_after_days": None,
        "writes_off": False,
        "lost_dispute": "reopen",
    }
    changed = api.patch("collection_policy", {"suspend_after_days": 21, "reminder_days": [7, 1, 7]})
    assert changed.status_code == 200
    assert (changed.json()["suspend_after_days"], changed.json()["reminder_days"]) == (21, [1, 7])
    for wrong in ({"retry_days": [0]}, {"provider": "paypal"}, {"reminder_days": ["x"]}, {"unknown": 1}):
        assert api.patch("collection_policy", wrong).status_code == 422


def test_secrets_go_in_and_never_come_out(fake: StripeFake, db: None) -> None:
    api = make_api("New")
    assert api.get("stripe_account").status_code == 404
    made = put(api, "stripe_account", {"api_key": KEY, "webhook_secret": SECRET})
    assert made.status_code == 200
    found = StripeAccount.objects.get()
    assert KEY.encode() not in bytes(found.api_key)
    assert SECRET.encode() not in bytes(found.webhook_secret)
    for answer in (made, api.get("stripe_account")):
        assert answer.json()["key_hint"] == "sk_test_…0001"
        assert answer.json()["has_webhook_secret"] is True
        assert KEY.encode() not in answer.content
        assert SECRET.encode() not in answer.content
    assert api.post("stripe_account/test", {}).json() == {"status": "ok"}
    assert api.client.delete("/api/v1/stripe_account").status_code == 204
    assert api.get("stripe_account").status_code == 404


@pytest.mark.parametrize("key", ["sk_test_of_nobody", "pk_test_1", ""])
def test_a_key_that_stripe_does_not_take_is_refused(fake: StripeFake, db: None, key: str) -> None:
    api = make_api("New")
    answer = put(api, "stripe_account", {"api_key": key})
    assert answer.status_code == 422
    assert not StripeAccount.objects.exists()


def test_stripe_that_does_not_answer_is_said_to_be_away(fake: StripeFake, db: None) -> None:
    fake.fail("GET /v1/payment_intents", Fault.CUT_BEFORE)
    answer = put(make_api("New"), "stripe_account", {"api_key": KEY})
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")


def test_only_admins_change_how_money_is_taken(vendor: Vendor) -> None:
    _, secret = create_api_key(organization=vendor.organization, scopes=["write"])
    api = Api(vendor.organization, Client(headers={"authorization": f"Bearer {secret}"}))
    assert api.get("stripe_account").status_code == 200
    assert put(api, "stripe_account", {"api_key": KEY}).status_code == 403
    assert api.patch("collection_policy", {"is_active": False}).status_code == 403


def test_an_invoice_shows_how_collecting_it_stands_and_is_charged_by_hand(api: Api, vendor: Vendor) -> None:
    customer = vendor.customer(does=POOR)
    invoice = vendor.invoice(customer)
    vendor.work()
    found = api.get(f"invoices/{invoice.pk}/collection").json()
    assert (found["state"], found["failed_charges"], found["last_error"]) == ("retrying", 1, "insufficient_funds")
    [call] = api.get("provider_calls", invoice=invoice.pk, state="failed").json()["data"]
    assert (call["kind"], call["amount"], call["error_code"]) == ("charge", "100.00", "insufficient_funds")
    assert [one["invoice"] for one in api.get("invoice_collections", state="retrying").json()["data"]] == [invoice.pk]
    vendor.fake.tables["payment_method"][next(iter(vendor.fake.tables["payment_method"]))]["_does"] = "visa"
    asked = api.post(f"invoices/{invoice.pk}/charge", {})
    assert (asked.status_code, asked.json()["state"]) == (202, "pending")
    vendor.work()
    assert api.get(f"invoices/{invoice.pk}").json()["status"] == "paid"
    [payment] = api.get("provider_payments", customer="acme").json()["data"]
    assert (payment["amount"], payment["surplus"], payment["refunds"]) == ("100.00", "0.00", [])
    assert api.get(f"provider_payments/{payment['id']}").json() == payment
    assert api.post(f"invoices/{invoice.pk}/charge", {}).json()["code"] == "nothing_due"


def test_who_gave_nothing_to_charge_is_not_charged_by_hand(api: Api, vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(does=None))
    answer = api.post(f"invoices/{invoice.pk}/charge", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_chargeable")


def test_the_link_to_pay_leads_to_stripes_page_for_as_long_as_something_is_due(api: Api, vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(does=None))
    links = api.post(f"invoices/{invoice.pk}/payment_link", {}).json()
    assert links["page_url"].startswith("https://checkout.stripe.com/")
    visitor, path = Client(), links["url"].removeprefix("http://127.0.0.1:8000")
    assert "Pay $100.00" in visitor.get(path).content.decode()
    led = visitor.post(path)
    assert led.status_code == 302
    vendor.fake.pay_page(led["Location"].rsplit("/", 1)[1])
    vendor.hear()
    assert "Nothing is due" in visitor.get(path).content.decode()
    assert visitor.post(path).status_code == 200
    assert invoices_of(vendor.organization.pk).get().status == "paid"
    vendor.agrees()


def test_mail_and_documents_have_the_link_unless_the_seller_gave_another(vendor: Vendor) -> None:
    customer = vendor.customer(does=None)
    invoice = vendor.invoice(customer)
    url = letter_context(invoice)["payment_url"]
    assert url.startswith("http://127.0.0.1:8000/pay/inv_")
    assert "Pay $100.00" in Client().get(url.removeprefix("http://127.0.0.1:8000")).content.decode()
    own = "https://pay.example.com/{number}"
    change_seller_profile(
        organization_id=vendor.organization.pk, now=vendor.now, actor="ops@example.com", payment_url=own
    )
    assert letter_context(invoice)["payment_url"] == f"https://pay.example.com/{invoice.number}"
    change_seller_profile(
        organization_id=vendor.organization.pk, now=vendor.now, actor="ops@example.com", payment_url=""
    )
    change_policy(organization_id=vendor.organization.pk, now=vendor.now, provider="manual")
    assert letter_context(invoice)["payment_url"] is None


def test_a_link_that_was_not_made_here_leads_nowhere(db: None) -> None:
    for token in ("x", "inv_x.abc", "."):
        assert Client().get(f"/pay/{token}").status_code == 404


def test_a_page_that_stripe_does_not_give_is_asked_for_again(api: Api, vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(does=None))
    link = api.post(f"invoices/{invoice.pk}/payment_link", {}).json()["url"].removeprefix("http://127.0.0.1:8000")
    vendor.fake.fail("POST /v1/checkout/sessions", Fault.CUT_BEFORE)
    answer = Client().post(link)
    assert answer.status_code == 503
    assert "does not answer at the moment" in answer.content.decode()
    assert Client().post(link).status_code == 302


def test_how_a_customer_pays_is_shown_and_chosen(api: Api, vendor: Vendor) -> None:
    vendor.customer()
    found = api.get("customers/acme/payment_details").json()
    assert (found["provider"], found["payment_method"], found["is_suspended"]) == (None, "visa 4242", False)
    changed = api.patch("customers/acme/payment_details", {"provider": "manual"}).json()
    assert changed["provider"] == "manual"
    assert api.patch("customers/acme/payment_details", {"provider": None}).json()["provider"] is None
    page = api.post("customers/acme/payment_setup_link", {}).json()["url"]
    assert page.startswith("https://checkout.stripe.com/")


def test_a_suspended_customer_is_reinstated(api: Api, vendor: Vendor) -> None:
    api.patch("collection_policy", {"suspend_after_days": 5})
    vendor.invoice(vendor.customer(does=None))
    vendor.later(days=60)
    vendor.work()
    assert api.get("customers/acme/payment_details").json()["is_suspended"] is True
    assert api.post("customers/acme/reinstate", {}).json()["is_suspended"] is False


def test_lists_ask_as_much_for_many_as_for_few(api: Api, vendor: Vendor) -> None:
    customer = vendor.customer()
    lists = ("provider_calls", "provider_payments", "invoice_collections", "bank_transfers", "reconciliations")
    lists = (*lists, "reconciliation_differences", "stripe_meters")

    def asked() -> dict[str, int]:
        counts = {}
        for path in lists:
            with CaptureQueriesContext(
                connection,
            ) as found:
                assert api.get(path).status_code == 200
            counts[path] = len(found)
        return counts

    def one_more(number: int) -> None:
        vendor.invoice(customer)
        vendor.work()
        vendor.differences()
        record_bank_transfer(
            organization_id=vendor.organization.pk,
            reference=str(number),
            amount=BankTransfer._meta.get_field("amount").to_python("1"),
            currency="USD",
            received_at=vendor.now,
            now=vendor.now,
        )

    one_more(1)
    few = asked()
    for number in (2, 3):
        one_more(number)
    assert asked() == few
    assert max(few.values()) <= 6, few


def test_another_organization_sees_nothing_of_it(vendor: Vendor, another_api: Api) -> None:
    invoice = vendor.invoice(vendor.customer())
    vendor.work()
    [call] = vendor.calls()
    for path in (
        f"invoices/{invoice.pk}/collection",
        f"provider_calls/{call.pk}",
        "customers/acme/payment_details",
        "stripe_account",
    ):
        assert another_api.get(path).status_code == 404
    for path in ("provider_calls", "provider_payments", "invoice_collections"):
        assert another_api.get(path).json()["data"] == []
