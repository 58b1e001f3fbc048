"""Customers in a list: their plan, what the open month comes to, and their last invoice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q

from billing.facade import Customer, Invoice, PricedInvoice, customers_of, price_month, subscriptions_of
from console.queries.pages import page_of
from console.queries.subscriptions import SubscriptionNow, as_of
from kernel.period import Month


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """`upcoming` is before tax, None where no subscription is in force or its month cannot be priced."""

    customer: Customer
    subscriptions: tuple[SubscriptionNow, ...]
    upcoming: Decimal | None
    last_invoice: Invoice | None


def list_customers(
    *, organization_id: int, search: str, cursor: str | None, now: datetime
) -> tuple[list[CustomerRow], str | None]:
    """Customers whose name or key has `search` in it, in the order in which they were made."""
    rows = customers_of(organization_id)
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(key__icontains=search))
    page = page_of(rows, cursor)
    subscriptions: dict[str, list[SubscriptionNow]] = defaultdict(list)
    in_force = [
        one
        for one in subscriptions_of(organization_id).filter(customer__in=page.rows)
        if one.starts_at <= now and (one.ends_at is None or one.ends_at >= now)
    ]
    for one in in_force:
        subscriptions[one.customer_id].append(as_of(one, now))
    upcoming: dict[str, Decimal] = {}
    # Only some organizations have customers in another month at this very moment: two months at most.
    for month in {Month.of(now, ZoneInfo(one.customer.timezone)) for one in in_force}:
        due = [one for one in in_force if Month.of(now, ZoneInfo(one.customer.timezone)) == month]
        for priced in price_month(due, month):
            if isinstance(priced, PricedInvoice):
                key = priced.subscription.customer_id
                upcoming[key] = upcoming.get(key, Decimal(0)) + priced.subtotal
    last = {
        invoice.customer_id: invoice
        for invoice in Invoice.objects.filter(customer__in=page.rows)
        .order_by("customer_id", "-month", "-id")
        .distinct("customer_id")
    }
    found = [
        CustomerRow(one, tuple(subscriptions[one.pk]), upcoming.get(one.pk), last.get(one.pk)) for one in page.rows
    ]
    return found, page.next_cursor
