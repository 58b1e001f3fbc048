from __future__ import annotations

from datetime import datetime

from billing.models import Customer
from billing.queries.bills import open_bill, without_invoice
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_bills


def upcoming_invoices(*, customer: Customer, now: datetime) -> list[PricedInvoice | Unpriceable]:
    """What the billing period that is open at `now` comes to so far, by subscription.

    The same function as issues the invoices; fees are those of the whole period, and those in advance
    for the next one are among them.
    """
    subscriptions = subscriptions_of(customer.organization_id).filter(customer=customer)
    bills = [open_bill(subscription, now) for subscription in subscriptions]
    return price_bills(without_invoice(bill for bill in bills if bill is not None))
