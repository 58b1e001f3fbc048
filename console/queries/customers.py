"""Customers in a list: their plan, what the open month comes to, and their last invoice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q

from billing.facade import Customer, Invoice, Subscription, customers_of, open_amounts, subscriptions_of
from console.queries.pages import page_of
from console.queries.subscriptions import SubscriptionNow, as_of
from kernel.period import Month

#: So many are priced for a page of the list, where what they come to is kept; it may then be some minutes old.
_AT_ONCE = 10


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
    upcoming = _upcoming(in_force, now)
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


def _upcoming(in_force: list[Subscription], now: datetime) -> dict[str, Decimal]:
    """What the open month comes to so far, by the customer's id."""
    sums: dict[str, Decimal] = {}
    # Only some organizations have customers in another month at this very moment: two months at most.
    for month in {Month.of(now, ZoneInfo(one.customer.timezone)) for one in in_force}:
        due = [one.pk for one in in_force if Month.of(now, ZoneInfo(one.customer.timezone)) == month]
        for amount in open_amounts(Subscription.objects.filter(pk__in=due), [month], at_once=_AT_ONCE).rows:
            if not amount.problem:
                sums[amount.customer_id] = sums.get(amount.customer_id, Decimal(0)) + amount.net
    return sums
