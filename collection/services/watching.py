"""What billing tells of, in its own transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.facade import Invoice, Payment, TestClock
from collection.models import InvoiceCollection
from collection.queries.accounts import policy_of
from collection.services.dunning import note_settled, open_collections, take_steps
from collection.services.refunds import refund_by_provider


class Watcher:
    """Opens and closes collecting with what happens to invoices, and writes down what goes back by a provider."""

    def invoices_finalized(self, *, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None:
        policy = policy_of(organization_id)
        if policy.is_active:
            open_collections(policy=policy, invoices=invoices, now=now)

    def invoice_settled(self, *, invoice: Invoice, at: datetime) -> None:
        note_settled(invoice=invoice, at=at)

    def money_given_back(self, *, payment: Payment, at: datetime) -> None:
        refund_by_provider(payment=payment, now=at)

    def clock_moved(self, *, test_clock: TestClock, to: datetime) -> None:
        """Each step at its own instant. What it charges is charged afterwards: nobody is called in a transaction."""
        due = InvoiceCollection.objects.filter(customer__test_clock=test_clock, closed_at=None, next_step_at__lte=to)
        while (following := due.order_by("next_step_at", "pk").values_list("pk", "next_step_at").first()) is not None:
            pk, at = following
            take_steps(invoice_id=pk, now=max(at or test_clock.now, test_clock.now))
