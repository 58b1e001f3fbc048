"""Anonymizing and erasing: nothing personal can be read afterwards, nothing about money or usage has changed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from billing.facade import Customer, cancel_subscription, close_month, destroy_old_documents, finalize_invoice
from billing.invariants import check_all
from billing.models import Invoice, Subscription
from kernel.period import Month
from metering.facade import advance_projections
from privacy.facade import Removal, anonymize_customer, erase_customer
from tests.api import Api
from tests.privacy.dump import files_with, tables_with
from tests.privacy.furnished import BOOKS, KEY, MARKER, NOW, furnish, ok

# Transactions are those of the server, so that what invoices saw of the log can be told.
pytestmark = pytest.mark.django_db(transaction=True)

#: Texts that belong to the books stay there, for as long as the books: see docs/privacy.md.
KEPT_IN = {"billing_invoiceline", "billing_payment"}
#: Furnished by `furnish`, and found with the marker before.
HELD_IN = {
    "accounts_apikey", "agents_tasksummary", "billing_customer", "billing_creditgrant", "budgets_budget",
    "metering_eventcorrection", "metering_quarantinedevent", "metering_usagebucket", "metering_usageevent",
    "notifications_mail", "notifications_webhookevent", "rest_idempotencyrecord",
}  # fmt: skip


def facts(api: Api) -> dict[str, Any]:
    """All that must stay the same: usage, invoices with their lines, payments."""
    span = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    return {
        "turns": ok(api.get("meters/turns/usage", **span, customer=KEY))["data"],
        "people": ok(api.get("meters/people/usage", **span, customer=KEY))["data"],
        "all people": ok(api.get("meters/people/usage", **span))["data"],
        "moods": ok(api.get("meters/notes/usage", **span, customer=KEY))["data"],
        "colours": sorted(
            row["quantity"] for row in ok(api.get("meters/notes/usage", **span, group_by="colour"))["data"]
        ),
        "invoices": ok(api.get("invoices", month="2026-10"))["data"],
        "payments": ok(api.get("payments"))["data"],
        "events": [one["id"] for one in ok(api.get("events", customer=KEY))["data"]],
    }


@pytest.fixture
def customer(api: Api) -> Customer:
    for directory in (settings.EXPORT_DIR, settings.EMAIL_FILE_PATH):
        shutil.rmtree(directory, ignore_errors=True)
    made = furnish(api)
    advance_projections()
    assert (held := tables_with(MARKER)).keys() == HELD_IN, held.get("accounts_auditentry")
    assert files_with(MARKER)
    return made


def settle(api: Api, now: datetime) -> None:
    """All that has to be done before an erasure: the subscription ended, its last bill issued and paid, credit void."""
    for subscription in Subscription.objects.all():
        cancel_subscription(subscription=subscription, ends_at=now, now=now)
    close_month(organization=api.organization, month=Month(2026, 11), now=now + timedelta(days=30))
    for invoice in Invoice.objects.filter(status="draft"):
        finalize_invoice(invoice=invoice, now=now + timedelta(days=30))
    for invoice in Invoice.objects.filter(status="finalized", amount_due__gt=0):
        ok(api.post(f"invoices/{invoice.pk}/pay", {}))
    for grant in ok(api.get("credit_grants"))["data"]:
        ok(api.post(f"credit_grants/{grant['id']}/void", {}))


def removed(api: Api, customer: Customer, *, erases: bool) -> Removal:
    if not erases:
        return anonymize_customer(customer=customer, now=NOW)
    settle(api, NOW)
    return erase_customer(customer=customer, now=NOW + timedelta(days=60))


@pytest.mark.parametrize("erases", [False, True])
def test_nothing_personal_can_be_read_afterwards_and_nothing_counted_has_changed(
    api: Api, customer: Customer, erases: bool
) -> None:
    before = facts(api)
    done = removed(api, customer, erases=erases)
    assert done.is_complete
    assert tables_with(MARKER) == {}
    assert files_with(MARKER) == []
    assert set(tables_with(BOOKS)) == KEPT_IN
    assert facts(api) == before
    advance_projections()
    assert (tables_with(MARKER), facts(api)) == ({}, before)
    assert {name: broken for name, broken in check_all(api.organization.pk) if broken} == {}
    shown = ok(api.get(f"customers/{KEY}"))
    assert (shown["name"], shown["email"], shown["address"], shown["tax_id"], shown["metadata"]) == (
        "Erased customer" if erases else "Anonymized customer", "", {}, "", {},
    )  # fmt: skip
    assert (shown["erased_at"] is not None) is erases
    [entry] = ok(api.get("audit_entries", target=customer.pk, action="customer.create"))["data"]
    assert entry["detail"] == {"key": KEY, "name": "[erased]"}
    event = next(one for one in ok(api.get("events", customer=KEY))["data"] if one["id"] == "agent.turn-1")
    assert event["data"]["user_email"] == "[erased]"
    assert (event["data"]["agent"], event["data"]["nested"]["note"][1]) == ("support", 0.1)
    assert event["data"]["goal"].startswith("erased:")
    [done_entry] = ok(api.get("audit_entries", action="customer.erase" if erases else "customer.anonymize"))["data"]
    assert done_entry["detail"]["removed"]["webhook_events"] > 0


def test_an_issued_invoice_names_its_buyer_until_its_retention_is_over(api: Api, customer: Customer) -> None:
    invoice = ok(api.get("invoices", month="2026-10"))["data"][0]["id"]

    def xml() -> bytes:
        answer = api.get(f"invoices/{invoice}/xml")
        assert answer.status_code in (200, 422), answer.content
        assert api.get(f"invoices/{invoice}/pdf").status_code == 200
        return bytes(answer.content)

    done = removed(api, customer, erases=True)
    assert done.kept[0].until is not None
    assert (done.kept[0].until.year, done.kept[0].until.month, done.kept[0].until.day) == (2036, 12, 31)
    assert destroy_old_documents(now=datetime(2036, 12, 31, 23, tzinfo=UTC)) == 0
    from billing.customers.sellers import identity_of

    assert identity_of(Invoice.objects.get(pk=invoice)).buyer["name"] == f"{MARKER} Person"
    assert destroy_old_documents(now=datetime(2037, 1, 1, tzinfo=UTC)) == 1
    assert identity_of(Invoice.objects.get(pk=invoice)).buyer == {"name": "[erased]"}
    assert MARKER.encode() not in xml()
    assert destroy_old_documents(now=datetime(2037, 1, 1, tzinfo=UTC)) == 0


def test_an_erasure_says_what_has_to_be_done_first_and_changes_nothing_until_then(api: Api, customer: Customer) -> None:
    def refused() -> str:
        answer = api.post(f"customers/{KEY}/erase", {})
        assert answer.status_code == 409, answer.content
        return str(answer.json()["code"])

    assert refused() == "subscription_active"
    assert (held := tables_with(MARKER)).keys() == HELD_IN, held.get("accounts_auditentry")
    assert api.post(f"customers/{KEY}/erase", {"cancel_first": True}).status_code == 409
    assert Subscription.objects.get().ends_at is None  # all or nothing
    settle(api, NOW)
    assert api.post(f"customers/{KEY}/erase", {}).status_code == 200
    assert api.post(f"customers/{KEY}/erase", {}).status_code == 200  # again: nothing happens
    assert api.patch(f"customers/{KEY}", {"name": "x"}).json()["code"] == "customer_erased"
    body = {"customer": KEY, "plan": "plan", "starts_at": "2026-12-01T00:00:00Z"}
    assert api.post("subscriptions", body).json()["code"] == "customer_erased"
