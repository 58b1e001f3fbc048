"""What customers are charged for the billing periods that are open, by the function that issues the invoices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from billing.models import Subscription
from billing.models.invoices import LineRole
from billing.queries.bills import open_bill, paid_in_advance_by, without_invoice
from billing.queries.clocks import clock_of
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable, price_bills
from kernel.errors import TaximeterError
from kernel.period import Period

_ZERO = Decimal(0)
#: The day on which a subscription ends still counts, in any zone.
_A_WHILE = timedelta(days=3)
#: What is charged for the period itself: neither late usage of an earlier one, nor what was invoiced before.
_OF_THE_PERIOD = frozenset({LineRole.CHARGE, LineRole.SETTLEMENT})


@dataclass(frozen=True, slots=True)
class OpenSpend:
    """What the open period of a subscription comes to so far, after discounts and before tax; in `currency`.

    Usage and fees in arrears. A fee that is charged in advance stands on the invoice before the period.
    """

    subscription: Subscription
    period: Period
    currency: str
    amount: Decimal


def open_spend(
    *, organization_id: int, customers: Collection[str] | None, now: datetime
) -> tuple[list[OpenSpend], Mapping[str, TaximeterError]]:
    """By subscription, of the customers with these ids or of all; and of those customers that cannot be priced, why.

    `now` is the machine's; customers on a test clock have that one's.
    """
    found = subscriptions_of(organization_id).filter(
        Q(ends_at=None) | Q(ends_at__gte=now - _A_WHILE) | ~Q(customer__test_clock=None)
    )
    if customers is not None:
        found = found.filter(customer__in=customers)
    at = {one.pk: clock_of(one.customer)() if one.customer.test_clock_id else now for one in found}
    bills = [bill for one in found if (bill := open_bill(one, at[one.pk])) is not None]
    # What such a bill settles may stand on one that is not issued yet, so that one is priced before it.
    before = [paid for bill in bills if (paid := paid_in_advance_by(bill)) is not None]
    still = {bill.key for bill in without_invoice([*bills, *before])}
    asked = [bill for bill in [*before, *bills] if bill.key in still]
    wanted = {id(bill) for bill in bills}
    spend, failed = [], {}
    for bill, priced in zip(asked, price_bills(asked), strict=True):
        if id(bill) not in wanted:
            continue
        if isinstance(priced, Unpriceable):
            failed[bill.customer.pk] = priced.error
        else:
            whole = bill.arrears or bill.in_force
            spend.append(OpenSpend(bill.subscription, whole, bill.currency, _amount(priced, whole)))
    return spend, failed


def _amount(priced: PricedInvoice, period: Period) -> Decimal:
    lines = (line for line in priced.lines if line.role in _OF_THE_PERIOD and line.period.start < period.end)
    return sum((line.net for line in lines), _ZERO)
