"""How billing's things look in what other systems hear of them: as in the API's answers."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from billing.announcing import Present
from billing.customers import presenters as customers_presenters
from billing.invoicing import presenters as invoicing_presenters
from billing.models import BillingRun, CreditNote, Customer, Invoice, Payment, Subscription
from billing.payments import presenters as payments_presenters
from billing.subscriptions import presenters as subscriptions_presenters
from billing.subscriptions.queries import get_subscription


def _subscription(one: Subscription) -> dict[str, Any]:
    """Read again, with its terms as they have just become, and with the changes to come that were dropped."""
    found = get_subscription(organization_id=one.organization_id, subscription=one.pk)
    found.dropped_changes = one.dropped_changes
    return subscriptions_presenters.subscription(found)


PRESENTERS: dict[type[Model], Present] = {
    BillingRun: invoicing_presenters.run,
    CreditNote: payments_presenters.credit_note,
    Customer: customers_presenters.customer,
    Invoice: invoicing_presenters.invoice_head,
    Payment: payments_presenters.payment,
    Subscription: _subscription,
}
