from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from billing.models import Customer
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_month
from kernel.period import Month


def upcoming_invoices(*, customer: Customer, now: datetime) -> list[PricedInvoice | Unpriceable]:
    """What the month that is open at `now`, in the customer's time zone, comes to so far, by subscription.

    The same function as issues the invoices; fees are those of the whole month.
    """
    month = Month.of(now, ZoneInfo(customer.timezone))
    subscriptions = subscriptions_of(customer.organization_id).filter(customer=customer)
    return price_month(list(subscriptions), month)
