"""The present period of running totals."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from billing.facade import Customer, Subscription, billing_period_at, status_at, subscriptions_of
from budgets.domain.periods import calendar_period
from budgets.models import PeriodKind, RunningTotal
from kernel.period import Period


def customer_of(total: RunningTotal) -> Customer | None:
    """Whose total it is, where it is a customer's."""
    return total.budget.customer if total.budget is not None else total.customer


def now_of(total: RunningTotal, now: datetime) -> datetime:
    """The machine's `now`, or what the test clock of the total's customer says."""
    return time_for(customer_of(total), now)


def time_for(customer: Customer | None, now: datetime) -> datetime:
    """Return the time of a customer's test clock, and the machine's `now` for all others."""
    return now if customer is None or customer.test_clock is None else customer.test_clock.now


def periods_of(totals: Iterable[RunningTotal], *, now: datetime) -> dict[int, Period | None]:
    """The present period of each total; None for a customer without a subscription that has billing periods."""
    found: dict[int, Period | None] = {}
    billed: list[RunningTotal] = []
    for total in totals:
        if total.period_kind == PeriodKind.BILLING_PERIOD:
            billed.append(total)
        else:
            found[total.pk] = calendar_period(total.period_kind, now_of(total, now), _zone_of(total))
    if billed:
        customers = {customer.pk for total in billed if (customer := customer_of(total))}
        subscriptions = _subscriptions(billed[0].organization_id, customers)
        for total in billed:
            customer, at = customer_of(total), now_of(total, now)
            assert customer is not None, "only a customer has a billing period"
            found[total.pk] = _billing_period(subscriptions.get(customer.pk, []), at)
    return found


def _zone_of(total: RunningTotal) -> ZoneInfo:
    if total.budget is not None:
        return ZoneInfo(total.budget.timezone)
    assert total.customer is not None, "a total is a budget's or a customer's"
    return ZoneInfo(total.customer.timezone)


def _subscriptions(organization_id: int, customers: Collection[str]) -> dict[str, list[Subscription]]:
    found: dict[str, list[Subscription]] = {}
    for one in subscriptions_of(organization_id).filter(customer__in=customers):
        found.setdefault(one.customer_id, []).append(one)
    return found


def _billing_period(subscriptions: list[Subscription], now: datetime) -> Period | None:
    """That of the first subscription that is not over."""
    for one in subscriptions:
        if one.starts_at <= now and status_at(one, now) != "ended":
            return billing_period_at(one, now)
    return None
