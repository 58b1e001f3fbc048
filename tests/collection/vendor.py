"""A vendor that collects by the fake Stripe, customers with cards, and invoices of an amount."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.facade import Organization, create_organization
from billing.credits.charges import create_charge, invoice_charge
from billing.facade import Customer, Invoice, create_customer
from billing.invariants import check_all
from collection.models import PayingCustomer, ProviderCall, ReconciliationDifference
from collection.services.accounts import change_policy, connect_stripe
from collection.services.customers import customer_at_stripe, take_customer
from collection.services.dunning import run_due_steps
from collection.services.events import handle_due_events, receive_event
from collection.services.outbox import make_due_calls
from collection.services.reconciliation import reconcile
from kernel.clock import system_clock
from tests.collection.stripe_fake import StripeFake
from tests.collection.stripe_fake.server import KEY, SECRET
from tests.collection.stripe_fake.state import GOOD


@dataclass
class Vendor:
    organization: Organization
    fake: StripeFake
    now: datetime = field(default_factory=system_clock)
    delivered: int = 0

    def customer(self, key: str = "acme", does: str | None = GOOD, **fields: Any) -> Customer:
        """With a card that does as it says; None: without one."""
        fields = {"email": f"{key}@example.com", "currency": "USD"} | fields
        made = create_customer(organization=self.organization, key=key, name=key, **fields)
        at_stripe = customer_at_stripe(customer=made, now=self.now)
        if does is not None:
            self.card(made, does)
        assert at_stripe
        return made

    def card(self, customer: Customer, does: str = GOOD, *, declines: list[str] | None = None) -> None:
        at_stripe = PayingCustomer.objects.get(customer=customer).stripe_customer
        self.fake.attach(at_stripe, does, declines=declines)
        take_customer(organization_id=self.organization.pk, stripe_customer=at_stripe, now=self.now)

    def at_stripe(self, customer: Customer) -> str:
        return PayingCustomer.objects.get(customer=customer).stripe_customer

    def invoice(self, customer: Customer, amount: str = "100.00") -> Invoice:
        """Finalized now, over one line; what it is for does not matter here."""
        charge = create_charge(customer=customer, description="Work", unit_amount=Decimal(amount), now=self.now)
        return invoice_charge(charge=charge, now=self.now)

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def work(self) -> None:
        """What the workers do when they look."""
        run_due_steps(now=self.now)
        make_due_calls(now=self.now)
        handle_due_events(now=self.now)
        make_due_calls(now=self.now)

    def hear(self, rng: random.Random | None = None) -> None:
        """Stripe tells all that happened, out of order and twice."""
        told = [*self.fake.events, *self.fake.events]
        (rng or random.Random(1)).shuffle(told)
        for event in told:
            self.receive(event)
        handle_due_events(now=self.now)

    def receive(self, *events: dict[str, Any]) -> None:
        """Stripe tells of these events, or of all; nobody handles them yet."""
        for event in events or self.fake.events:
            body, signature = self.fake.signed(event)
            receive_event(organization_id=self.organization.pk, body=body, signature=signature, now=self.now)

    def calls(self, kind: str = "charge") -> list[ProviderCall]:
        return list(ProviderCall.objects.filter(organization=self.organization, kind=kind).order_by("id"))

    def states(self, kind: str = "charge") -> list[str]:
        return [str(call.state) for call in self.calls(kind)]

    def differences(self) -> list[tuple[str, str, str, str]]:
        found = reconcile(organization_id=self.organization.pk, now=self.now)
        assert found is not None
        assert found.error == ""
        rows = ReconciliationDifference.objects.filter(organization=self.organization, resolved_at=None).order_by("id")
        assert found.open_differences == len(rows)
        return [(one.kind, one.subject, one.here, one.there) for one in rows]

    def agrees(self) -> None:
        """Both sides say the same, and the books keep their laws."""
        assert self.differences() == []
        assert {law: found for law, found in check_all(self.organization.pk) if found} == {}


def make_vendor(fake: StripeFake, name: str = "Vendor", **policy: Any) -> Vendor:
    organization = create_organization(name=name)
    now = datetime.now(UTC)
    connect_stripe(organization_id=organization.pk, api_key=KEY, webhook_secret=SECRET, now=now)
    fields: dict[str, Any] = {"is_active": True, "provider": "stripe"} | policy
    change_policy(organization_id=organization.pk, now=now, **fields)
    return Vendor(organization, fake)
