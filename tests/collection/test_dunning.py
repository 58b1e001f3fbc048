"""Reminders, suspension, giving up: by the organization's own days, each once, at the customer's own time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from accounts.facade import create_api_key
from billing.facade import Customer, Invoice, create_customer, invoices_of, pay_invoice
from billing.test_clocks.services import advance_test_clock, create_test_clock
from budgets.queries import facts
from collection.facade import is_suspended, suspended_customers
from collection.models import CollectionPolicy, InvoiceCollection
from collection.services.accounts import change_policy
from collection.services.dunning import reinstate_customer
from metering.facade import create_meter
from notifications.facade import mails_of
from notifications.models import WebhookEvent
from notifications.services.endpoints import create_endpoint
from tests.collection.stripe_fake.state import POOR
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def strict(vendor: Vendor) -> Vendor:
    """Reminds on the days -1, 2 and 5, suspends after 10, gives up after 20, and writes off then."""
    own = vendor.organization.pk
    days = {"reminder_days": [-1, 2, 5], "suspend_after_days": 10, "give_up_after_days": 20, "writes_off": True}
    change_policy(organization_id=own, now=vendor.now, **days)
    create_endpoint(organization_id=own, url="https://erp.example.com/hooks", now=vendor.now)
    return vendor


def mails(vendor: Vendor, kind: str) -> int:
    return mails_of(vendor.organization.pk).filter(kind=kind).count()


def told(vendor: Vendor, *names: str) -> list[str]:
    rows = WebhookEvent.objects.filter(organization=vendor.organization, type__in=names).order_by("pk")
    return list(rows.values_list("type", flat=True))


def to_day(vendor: Vendor, invoice: Invoice, day: int) -> InvoiceCollection:
    """Go to a day counted from the due date, and let the workers look twice."""
    assert invoice.due_at is not None
    vendor.now = invoice.due_at + timedelta(days=day, minutes=1)
    vendor.work()
    vendor.work()
    return InvoiceCollection.objects.get(pk=invoice.pk)


def test_who_does_not_pay_is_reminded_suspended_and_given_up(strict: Vendor) -> None:
    customer = strict.customer(does=None)
    invoice = strict.invoice(customer)
    states, reminders = [], []
    for day in (-2, -1, 0, 2, 5, 9, 10, 20):
        states.append(str(to_day(strict, invoice, day).state))
        reminders.append(mails(strict, "payment_reminder"))
    expected = ["current", "current", "overdue", "overdue", "overdue", "overdue", "suspended", "given_up"]
    assert (states, reminders) == (expected, [0, 1, 1, 2, 3, 3, 3, 3])
    assert told(strict, "invoice.overdue", "customer.suspended", "invoice.written_off") == [
        "invoice.overdue",
        "customer.suspended",
        "invoice.written_off",
    ]
    invoice.refresh_from_db()
    assert invoice.status == "uncollectible"
    assert is_suspended(customer)


def test_days_that_nobody_looked_on_bring_one_reminder(strict: Vendor) -> None:
    invoice = strict.invoice(strict.customer(does=None))
    to_day(strict, invoice, 8)
    assert mails(strict, "payment_reminder") == 1


def test_paying_ends_all_of_it_and_lifts_the_suspension(strict: Vendor) -> None:
    customer = strict.customer(does=None)
    first, second = strict.invoice(customer), strict.invoice(customer)
    to_day(strict, first, 11)
    assert suspended_customers(strict.organization.pk) == {customer.pk}
    pay_invoice(invoice=first, now=strict.now)
    assert is_suspended(customer), "the other one suspends it still"
    pay_invoice(invoice=second, now=strict.now)
    assert not is_suspended(customer)
    assert told(strict, "customer.suspended", "customer.reinstated") == ["customer.suspended", "customer.reinstated"]
    found = to_day(strict, first, 40)
    assert (found.state, found.closed_at is not None) == ("current", True)


def test_a_suspension_that_was_lifted_stays_lifted_for_what_was_open_then(strict: Vendor) -> None:
    customer = strict.customer(does=None)
    invoice = strict.invoice(customer)
    to_day(strict, invoice, 11)
    assert reinstate_customer(customer=customer, now=strict.now) == 1
    to_day(strict, invoice, 15)
    assert not is_suspended(customer)
    later = strict.invoice(customer)
    to_day(strict, later, 11)
    assert is_suspended(customer)


def test_a_failed_charge_is_told_to_the_customer_instead_of_a_reminder(strict: Vendor) -> None:
    invoice = strict.invoice(strict.customer(does=POOR))
    strict.work()
    assert (mails(strict, "payment_failed"), mails(strict, "payment_reminder")) == (1, 0)
    found = InvoiceCollection.objects.get(pk=invoice.pk)
    assert (found.state, found.next_charge_at) == ("retrying", strict.now + timedelta(days=1))
    assert told(strict, "payment.failed") == ["payment.failed"]


def test_other_days_count_for_what_is_open_already(strict: Vendor) -> None:
    customer = strict.customer(does=None)
    invoice = strict.invoice(customer)
    to_day(strict, invoice, 3)
    change_policy(organization_id=strict.organization.pk, now=strict.now, suspend_after_days=3)
    strict.work()
    assert is_suspended(customer)


def test_switched_on_it_collects_what_is_open_and_switched_off_it_does_nothing(strict: Vendor) -> None:
    own = strict.organization.pk
    change_policy(organization_id=own, now=strict.now, is_active=False)
    customer = strict.customer(does=None)
    invoice = strict.invoice(customer)
    assert not InvoiceCollection.objects.exists()
    change_policy(organization_id=own, now=strict.now, is_active=True)
    assert InvoiceCollection.objects.filter(pk=invoice.pk).exists()
    change_policy(organization_id=own, now=strict.now, is_active=False)
    to_day(strict, invoice, 30)
    assert (mails(strict, "payment_reminder"), is_suspended(customer)) == (0, False)


def test_charged_when_due_is_not_charged_before(strict: Vendor) -> None:
    change_policy(organization_id=strict.organization.pk, now=strict.now, charge_at="due")
    invoice = strict.invoice(strict.customer())
    to_day(strict, invoice, -1)
    assert strict.states() == []
    to_day(strict, invoice, 0)
    assert strict.states() == ["succeeded"]


def test_a_suspended_customer_may_use_nothing(strict: Vendor) -> None:
    customer = strict.customer(does=None)
    invoice = strict.invoice(customer)
    definition = {"event_type": "agent.turn", "aggregation": "count"}
    create_meter(organization_id=strict.organization.pk, key="turns", name="Turns", definition=definition)
    _, secret = create_api_key(organization=strict.organization, scopes=["admin"])
    client = Client(headers={"authorization": f"Bearer {secret}"})

    def reason() -> str | None:
        facts._kept.forget_all()  # believed for three seconds
        body = {"customer": "acme", "meter": "turns", "quantity": "1"}
        answer = client.post("/api/v1/entitlements/check", data=body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        return answer.json()["reason"]

    assert reason() is None
    to_day(strict, invoice, 11)
    assert reason() == "customer_suspended"
    pay_invoice(invoice=invoice, now=strict.now)
    assert reason() is None


def clocked(vendor: Vendor) -> tuple[Customer, object]:
    clock = create_test_clock(organization=vendor.organization, now=vendor.now)
    made = create_customer(
        organization=vendor.organization, key="clocked", currency="USD", email="c@example.com", test_clock=clock
    )
    return made, clock


def test_who_lives_by_a_test_clock_goes_through_it_at_its_own_time_and_gets_no_mail(strict: Vendor) -> None:
    customer, clock = clocked(strict)
    invoice = strict.invoice(customer)
    strict.later(days=90)
    strict.work()
    assert InvoiceCollection.objects.get(pk=invoice.pk).state == "current", "its time stands still"
    assert invoice.due_at is not None
    advance_test_clock(test_clock=clock, to=invoice.due_at + timedelta(days=12))
    found = InvoiceCollection.objects.get(pk=invoice.pk)
    assert (found.state, found.suspended_at) == ("suspended", invoice.due_at + timedelta(days=10))
    assert mails(strict, "payment_reminder") == 0


def test_the_defaults_hold_without_a_row(strict: Vendor) -> None:
    CollectionPolicy.objects.all().delete()
    strict.invoice(strict.customer())
    assert not InvoiceCollection.objects.exists()
    assert invoices_of(strict.organization.pk).get().amount_due == Decimal(100)
