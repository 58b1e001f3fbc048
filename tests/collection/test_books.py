"""Bank transfers, and what differs from the provider's books, over the API."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from billing.facade import invoices_of
from collection.tasks import reconcile_one
from tests.api import Api
from tests.collection.stripe_fake import Fault
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


def test_a_transfer_pays_the_invoice_whose_number_stands_in_its_text(api: Api, vendor: Vendor) -> None:
    invoice = vendor.invoice(vendor.customer(does=None))
    body = {
        "reference": "bank-1",
        "amount": "60.00",
        "currency": "USD",
        "received_at": "2026-11-02T08:00:00Z",
        "text": f"payment {(invoice.number or '').replace('-', ' ').lower()} thanks",
    }
    made = api.post("bank_transfers", body)
    assert (made.status_code, made.json()["invoice"], made.json()["unmatched"]) == (201, invoice.pk, "0.00")
    assert api.post("bank_transfers", body).json() == made.json(), "the same again changes nothing"
    assert api.post("bank_transfers", {**body, "amount": "61.00"}).json()["code"] == "bank_transfer_conflict"
    assert api.get(f"invoices/{invoice.pk}").json()["amount_due"] == "40.00"
    lost = api.post("bank_transfers", {**body, "reference": "bank-2", "text": "thanks"}).json()
    assert (lost["invoice"], lost["unmatched"]) == (None, "60.00")
    [unmatched] = api.get("bank_transfers", unmatched="true").json()["data"]
    matched = api.post(f"bank_transfers/{unmatched['id']}/match", {"invoice": invoice.pk}).json()
    assert (matched["invoice"], matched["unmatched"]) == (invoice.pk, "20.00")
    assert api.get(f"invoices/{invoice.pk}").json()["status"] == "paid"
    assert api.post(f"bank_transfers/{unmatched['id']}/match", {"invoice": invoice.pk}).status_code == 409


def test_differences_are_listed_until_they_are_resolved(api: Api, vendor: Vendor) -> None:
    vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    vendor.fake.create_refund({"payment_intent": intent, "amount": "2500"})
    vendor.differences()
    [found] = api.get("reconciliation_differences", open="true").json()["data"]
    assert (found["kind"], found["here"], found["there"]) == ("refund_missing_here", "", "25 USD succeeded")
    vendor.hear()
    vendor.differences()
    assert api.get("reconciliation_differences", open="true").json()["data"] == []
    [resolved] = api.get("reconciliation_differences", open="false").json()["data"]
    assert resolved["id"] == found["id"]
    assert resolved["resolved_at"] is not None
    runs = api.get("reconciliations").json()["data"]
    assert [one["open_differences"] for one in runs] == [0, 1]


def test_the_nightly_comparison_fetches_what_no_webhook_brought(vendor: Vendor) -> None:
    vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    vendor.fake.create_refund({"payment_intent": intent, "amount": "2500"})
    assert reconcile_one(organization_id=vendor.organization.pk) == 0
    assert invoices_of(vendor.organization.pk).get().status == "finalized"
    vendor.agrees()


def test_a_command_compares_and_fails_where_something_differs(
    vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.invoice(vendor.customer())
    vendor.work()
    call_command("reconcile_payments", organization=vendor.organization.key)
    assert capsys.readouterr().out == "vendor: 1 compared, 0 differences\n"
    [intent] = vendor.fake.tables["payment_intent"].values()
    intent["amount_received"] = 9999
    with pytest.raises(CommandError, match="1 differences"):
        call_command("reconcile_payments")
    assert "payment_differs" in capsys.readouterr().out
    with pytest.raises(CommandError, match="No such organization"):
        call_command("reconcile_payments", organization="nobody")


def test_stripe_that_is_away_leaves_differences_as_they_are(vendor: Vendor) -> None:
    vendor.invoice(vendor.customer())
    vendor.work()
    [intent] = vendor.fake.tables["payment_intent"]
    vendor.fake.create_refund({"payment_intent": intent, "amount": "2500"})
    before = vendor.differences()
    vendor.fake.fail("GET /v1/refunds", Fault.CUT_BEFORE)
    with pytest.raises(AssertionError):
        vendor.differences()
    assert vendor.differences() == before


def test_meters_are_mapped_over_the_api(api: Api, vendor: Vendor) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    made = api.post("stripe_meters", {"meter": "turns", "event_name": "agent_turns", "since": "2026-11-01T10:30:00Z"})
    assert made.json() == {"meter": "turns", "event_name": "agent_turns", "since": "2026-11-01T10:00:00Z"}
    assert api.get("stripe_meters").json()["data"] == [made.json()]
    assert api.post("stripe_meters", {"meter": "none", "event_name": "x"}).status_code == 404
    assert api.client.delete("/api/v1/stripe_meters/turns").status_code == 204
    assert api.get("stripe_meters/turns").json()["code"] == "stripe_meter_not_found"
