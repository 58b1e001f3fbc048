"""Who would pay what on another version of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.models import Plan, PlanChange, PlanVersion, Subscription
from billing.queries.bills import Bill, open_bill, period_end
from billing.queries.customers import subscriptions_of
from billing.queries.rating import PricedInvoice, price_bills
from billing.queries.timeline import status_at, version_at

#: Subscriptions looked at together.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Move:
    """A subscription that is on `version` of a plan: what its open period comes to before tax, as it is, and as if
    it had been on the other version from the period's first day."""

    subscription: Subscription
    version: PlanVersion
    current: Decimal
    new: Decimal


def movable(
    plan: Plan, to: PlanVersion, now: datetime, when: str, *, among: Sequence[str] | None = None
) -> list[Subscription]:
    """The running subscriptions on other versions of `plan` that all customers share, `now` or at their `period_end`;
    overridden ones stay. `among` are the ids of those to look at, None for all."""
    rows = subscriptions_of(plan.organization_id).filter(ends_at=None)
    if among is not None:
        rows = rows.filter(pk__in=among)
    on_plan = rows.filter(plan_version__plan=plan) | rows.filter(plan_changes__plan_version__plan=plan)
    return [one for one in on_plan.distinct() if _moves(one, plan, to, now_for(one, now), when)]


def now_for(subscription: Subscription, now: datetime) -> datetime:
    """`now`, or what the customer's test clock says."""
    clock = subscription.customer.test_clock
    return now if clock is None else clock.now


def _moves(subscription: Subscription, plan: Plan, to: PlanVersion, now: datetime, when: str) -> bool:
    version = version_at(subscription, now if when == "now" else period_end(subscription, now))
    on_it = version.plan_id == plan.pk and version.customer_id is None and version.pk != to.pk
    return on_it and status_at(subscription, now) in {"active", "paused"}


def preview_moves(subscriptions: Sequence[Subscription], to: PlanVersion, now: datetime) -> Iterator[Move]:
    """What each of `subscriptions` pays, and would pay; those without an open period, or that cannot be priced, are
    left out. Nothing is written."""
    for start in range(0, len(subscriptions), _BATCH):
        some = subscriptions[start : start + _BATCH]
        today = _subtotals(some, now)
        versions = {one.pk: version_at(one, now_for(one, now)) for one in some}
        then = _subtotals([_as_if(one, to) for one in some], now)
        for one in some:
            if one.pk in today and one.pk in then:
                yield Move(one, versions[one.pk], today[one.pk], then[one.pk])


def _subtotals(subscriptions: Sequence[Subscription], now: datetime) -> dict[str, Decimal]:
    bills: list[Bill] = [bill for one in subscriptions if (bill := open_bill(one, now_for(one, now))) is not None]
    return {
        answer.bill.subscription.pk: sum((line.rated.amount for line in answer.lines if line.price), Decimal(0))
        for answer in price_bills(bills)
        if isinstance(answer, PricedInvoice) and answer.bill.subscription is not None
    }


def _as_if(subscription: Subscription, version: PlanVersion) -> Subscription:
    """The subscription as if it had always been on `version`: a copy that is never saved."""
    copied = copy(subscription)
    copied._state = copy(subscription._state)
    copied._state.fields_cache = dict(subscription._state.fields_cache)
    copied.plan_version = version
    kept = getattr(subscription, "_prefetched_objects_cache", {})
    copied._prefetched_objects_cache = {**kept, "plan_changes": PlanChange.objects.none()}
    return copied
