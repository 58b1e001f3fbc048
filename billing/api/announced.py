"""How billing's things look in what other systems hear of them: as in the API's answers."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from billing.announcing import Present
from billing.api import ledger_present, present
from billing.models import BillingRun, CreditNote, Customer, Invoice, Payment, Subscription
from billing.queries.customers import get_subscription


def _subscription(one: Subscription) -> dict[str, Any]:
    """Read anew, with its terms as they have just become."""
    return present.subscription(get_subscription(organization_id=one.organization_id, subscription=one.pk))


PRESENTERS: dict[type[Model], Present] = {
    BillingRun: present.run,
    CreditNote: ledger_present.credit_note,
    Customer: present.customer,
    Invoice: present.invoice_head,
    Payment: ledger_present.payment,
    Subscription: _subscription,
}
