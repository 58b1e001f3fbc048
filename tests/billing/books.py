"""A vendor whose customer lives by a test clock, and what its books say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.customers.services import create_customer
from billing.facade import Customer, Invoice, create_plan, get_invoice, subscribe
from billing.invariants import check_all
from billing.invariants.violation import Violation
from billing.ledger.queries import account_balances
from billing.ledger.recognition import recognize_revenue
from billing.models import Subscription, TestClock
from billing.test_clocks.services import advance_test_clock, create_test_clock
from kernel.period import Month
from tests.api import Api


def at(text: str) -> datetime:
    """A day or an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Books:
    """One customer on a clock of its own, in an organization of its own."""

    api: Api
    clock: TestClock
    customer: Customer

    def subscribe(
        self, *prices: dict[str, Any], starts: str, interval: str = "month", key: str = "plan", seats: int = 0
    ) -> Subscription:
        plan = create_plan(
            organization=self.api.organization,
            key=key,
            name=key,
            currency=self.customer.currency,
            interval=interval,
            prices=[{"name": price["key"], **price} for price in prices],
        )
        return subscribe(customer=self.customer, plan=plan, starts_at=at(starts), seats=seats)

    def advance(self, to: str) -> None:
        self.clock, _ = advance_test_clock(test_clock=self.clock, to=at(to))

    def invoices(self) -> list[Invoice]:
        return list(Invoice.objects.filter(organization=self.api.organization).order_by("number"))

    def again(self, invoice: Invoice) -> Invoice:
        return get_invoice(organization_id=self.api.organization.pk, invoice=invoice.pk)

    def recognize(self, month: str | None = None) -> int:
        """Months that are over by the customer's clock; the machine's is long behind."""
        return recognize_revenue(
            organization=self.api.organization, now=at("2020-01-01"), month=Month.parse(month) if month else None
        )

    def balances(self, currency: str | None = None) -> dict[str, str]:
        """The accounts that are not zero."""
        found = account_balances(self.api.organization.pk)
        return {
            one.account: format(one.balance, "f")
            for one in found
            if one.balance and one.currency == (currency or self.customer.currency)
        }

    def broken_laws(self) -> dict[str, list[Violation]]:
        return {law: found for law, found in check_all(self.api.organization.pk) if found}


def open_books(api: Api, *, starts: str = "2026-01-01", key: str = "acme", **fields: Any) -> Books:
    clock = create_test_clock(organization=api.organization, now=at(starts))
    customer = create_customer(
        organization=api.organization, key=key, name=key, test_clock=clock, **({"currency": "USD"} | fields)
    )
    return Books(api, clock, customer)


def fee(key: str, amount: str, *, advance: bool = True) -> dict[str, Any]:
    bill = "in_advance" if advance else "in_arrears"
    return {"key": key, "kind": "fixed", "bill": bill, "model": {"type": "flat", "amount": amount}}
