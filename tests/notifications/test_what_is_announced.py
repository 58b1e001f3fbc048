"""What billing tells other systems and customers, in the transactions in which it happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.facade import (
    cancel_subscription,
    change_seats,
    close_month,
    create_customer,
    create_plan,
    invoices_of,
    issue_credit_note,
    pause_subscription,
    pay_invoice,
    payments_of,
    refund_payment,
    resume_subscription,
    subscribe,
    subscriptions_of,
    update_customer,
    void_invoice,
    write_off_invoice,
)
from kernel.period import Month
from notifications.event_types import EVENT_TYPES
from notifications.models import Mail, WebhookEvent
from notifications.services.endpoints import create_endpoint
from notifications.services.mailing import change_mail_settings
from tests.api import Api

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
PRICES = [{"key": "seat", "name": "Seat", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "10"}}]


class Vendor:
    def __init__(self, api: Api) -> None:
        self.api, self.organization = api, api.organization
        self.plan = create_plan(organization=api.organization, key="team", name="Team", currency="USD", prices=PRICES)

    def listen(self) -> None:
        create_endpoint(organization_id=self.organization.pk, url="http://127.0.0.1:1100/", now=NOW)

    def customer(self, key: str, **fields: Any) -> Any:
        made = create_customer(organization=self.organization, key=key, name=key.title(), **fields)
        subscribe(customer=made, plan=self.plan, starts_at=datetime(2026, 10, 1, tzinfo=UTC), seats=3)
        return made

    def close(self) -> list[Any]:
        close_month(organization=self.organization, month=Month(2026, 10), now=NOW)
        return list(invoices_of(self.organization.pk))

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for event in WebhookEvent.objects.order_by("id"):
            body = msgspec.json.decode(event.body)
            assert body["type"] == event.type
            assert event.type in EVENT_TYPES
            yield event.type, body["data"]

    def types(self) -> list[str]:
        return [type for type, _ in self.events()]


@pytest.fixture
def vendor(api: Api) -> Vendor:
    return Vendor(api)


def test_a_month_that_is_closed_is_told_of_as_the_api_shows_it(vendor: Vendor) -> None:
    vendor.listen()
    vendor.customer("acme")
    [invoice] = vendor.close()
    assert vendor.types() == [
        "customer.created",
        "subscription.created",
        "invoice.created",
        "invoice.finalized",
        "billing_run.completed",
    ]
    told = dict(vendor.events())
    shown = vendor.api.get(f"invoices/{invoice.pk}").json()
    assert told["invoice.finalized"] == {
        name: value for name, value in shown.items() if name not in ("lines", "unprintable")
    }
    assert told["invoice.finalized"]["total"] == "30.00"
    assert told["invoice.created"]["status"] == "draft"
    assert told["customer.created"] == vendor.api.get("customers/acme").json()
    assert told["subscription.created"] == vendor.api.get(f"subscriptions/{invoice.subscription_id}").json()
    assert told["billing_run.completed"]["invoices"] == 1


def test_what_happens_to_an_invoice_is_told_in_its_order(vendor: Vendor) -> None:
    vendor.customer("acme")
    [invoice] = vendor.close()
    vendor.listen()
    pay_invoice(invoice=invoice, now=NOW, amount=Decimal(10))
    pay_invoice(invoice=invoice, now=NOW)
    [*_, last] = payments_of(vendor.organization.pk, invoice_id=invoice.pk).order_by("pk")
    refund_payment(payment=last, now=NOW)
    write_off_invoice(invoice=invoice, now=NOW)
    assert vendor.types() == [
        "payment.recorded",
        "payment.recorded",
        "invoice.paid",
        "payment.refunded",
        "invoice.reopened",
        "invoice.written_off",
    ]
    events = list(vendor.events())
    assert events[0][1]["amount"] == "10.00"
    assert events[1][1] == vendor.api.get(f"payments/{last.pk}").json()
    assert events[3][1]["amount"] == "-20.00"
    assert events[4][1]["amount_due"] == "20.00"


def test_a_credit_note_and_a_void_invoice_are_told_of(vendor: Vendor) -> None:
    vendor.customer("acme")
    vendor.customer("birch")
    credited, voided = vendor.close()
    vendor.listen()
    note = issue_credit_note(invoice=credited, now=NOW)
    void_invoice(invoice=voided, now=NOW)
    assert vendor.types() == ["credit_note.issued", "invoice.paid", "invoice.voided"]
    told = dict(vendor.events())
    assert told["credit_note.issued"] == vendor.api.get(f"credit_notes/{note.pk}").json()
    assert told["invoice.voided"]["status"] == "void"


def test_changes_of_a_subscription_and_a_customer_are_told_of(vendor: Vendor) -> None:
    customer = vendor.customer("acme")
    [subscription] = subscriptions_of(vendor.organization.pk)
    vendor.listen()
    update_customer(customer=customer, now=NOW, name="Acme Ltd")
    change_seats(subscription=subscription, seats=5, when="now", now=NOW)
    pause_subscription(subscription=subscription, now=NOW)
    pause_subscription(subscription=subscription, now=NOW)
    resume_subscription(subscription=subscription, now=NOW)
    cancel_subscription(subscription=subscription, ends_at=NOW + timedelta(days=3), now=NOW)
    assert vendor.types() == [
        "customer.updated",
        "subscription.changed",
        "subscription.paused",
        "subscription.resumed",
        "subscription.cancelled",
    ]
    events = list(vendor.events())
    assert events[0][1]["name"] == "Acme Ltd"
    assert [one["seats"] for one in events[1][1]["seat_changes"]] == [5]
    assert events[4][1]["ends_at"] == "2026-11-05T12:00:00Z"


def test_telling_of_a_batch_costs_the_same_queries_however_many_invoices_it_has(vendor: Vendor) -> None:
    vendor.listen()
    counts = []
    for number in (2, 12):
        for one in range(number):
            vendor.customer(f"c{number}-{one}", email=f"c{one}@example.com")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            vendor.close()
        written = [q["sql"] for q in queries if "notifications_" in q["sql"] and "INSERT" in q["sql"]]
        counts.append((len(written), len([q for q in queries if 'FROM "notifications_webhookendpoint"' in q["sql"]])))
    assert counts[0] == counts[1]
    assert Mail.objects.count() == 14


def test_where_nobody_listens_nothing_is_made_of_it(vendor: Vendor) -> None:
    vendor.customer("acme")
    vendor.close()
    assert not WebhookEvent.objects.exists()


def test_a_customer_gets_the_invoice_by_mail_and_thanks_for_the_payment(vendor: Vendor) -> None:
    vendor.customer("acme", email="ap@acme.example", locale="de")
    vendor.customer("birch")
    acme = next(one for one in vendor.close() if one.customer.key == "acme")
    [issued] = Mail.objects.all()
    assert (issued.kind, issued.to, issued.key) == ("invoice_issued", ["ap@acme.example"], f"invoice_issued:{acme.pk}")
    assert issued.context["locale"] == "de"
    assert issued.context["invoice"]["amount_due"] == "30.00"
    pay_invoice(invoice=acme, now=NOW, amount=Decimal(10))
    assert Mail.objects.count() == 1
    pay_invoice(invoice=acme, now=NOW)
    assert Mail.objects.get(kind="payment_received").to == ["ap@acme.example"]


def test_no_mail_of_nothing_to_nobody_or_where_it_is_switched_off(vendor: Vendor) -> None:
    vendor.customer("acme", email="ap@acme.example")
    vendor.customer("typo", email="not an address")
    change_mail_settings(
        organization_id=vendor.organization.pk, sender_name="", reply_to="", accent="", switched_off=["invoice_issued"]
    )
    assert len(vendor.close()) == 2
    assert not Mail.objects.exists()
