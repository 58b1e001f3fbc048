from __future__ import annotations

from datetime import datetime

from billing.models import Customer
from billing.queries.bills import open_bill, paid_in_advance_by, without_invoice
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_bills


def upcoming_invoices(
    *, customer: Customer, now: datetime, foreseen: bool = False
) -> list[PricedInvoice | Unpriceable]:
    """What the billing period that is open at `now` comes to so far, by subscription.

    The same function as issues the invoices; fees are those of the whole period, and those in advance
    for the next one are among them. With `foreseen`, usage goes on to the period's end as it did up to `now`.
    """
    subscriptions = subscriptions_of(customer.organization_id).filter(customer=customer)
    found = [bill for subscription in subscriptions if (bill := open_bill(subscription, now)) is not None]
    # What such a bill settles may stand on one that is not issued yet, so that one is priced before it.
    before = {id(bill): paid for bill in found if (paid := paid_in_advance_by(bill)) is not None}
    still = {bill.key for bill in without_invoice([*found, *before.values()])}
    bills = [
        one for bill in found if bill.key in still for one in (before.get(id(bill)), bill) if one and one.key in still
    ]
    priced = price_bills(bills, foreseen_at=now if foreseen else None)
    return [answer for bill, answer in zip(bills, priced, strict=True) if bill in found]
