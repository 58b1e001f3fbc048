"""What customers are charged for single tasks, by the unit prices of their plan in force when the task ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agents.domain.charges import Charge, ChargeLine, PriceTerms
from agents.models import TaskSummary
from agents.queries.tasks import TaskView
from billing.facade import PlanVersion, Price, Subscription, billed_from, subscriptions_of
from kernel.money import EXACT
from metering.facade import MeterVersion, TaskMeter, current_versions, usage_of_tasks


def charges_of(
    tasks: Sequence[TaskView], *, organization_id: int, transactions: Sequence[int], since: int
) -> dict[str, Charge]:
    """The charge of each task whose customer was on a plan, by task id. The same number of queries for any number.

    The tasks' events are looked for in `transactions`, and in all from the transaction `since` on.
    """
    plans = _plans(tasks, organization_id)
    prices: dict[str, Price] = {
        price.pk: price for versions in plans.values() for version in versions for price in version.prices.all()
    }
    priced = [price for price in prices.values() if terms_of(price).unit_amount is not None]
    meters = _meters(priced)
    found = usage_of_tasks(
        organization_id=organization_id,
        meters=[TaskMeter(meters[price.meter_id], price.filter) for price in priced],
        task_ids=list(plans),
        transactions=transactions,
        since=since,
    )
    places = {price.pk: place for place, price in enumerate(priced)}
    charges = {}
    for task in tasks:
        versions = plans.get(task.task_id)
        if not versions:
            continue
        charge = charges[task.task_id] = Charge(versions[0].currency)
        for version in versions:
            for price in version.prices.all():
                _charge(charge, price, found.get((places.get(price.pk, -1), task.task_id, task.totals.customer)))
    return charges


def transactions_of(tasks: Sequence[TaskView]) -> list[int]:
    """Where the events of listed tasks are."""
    rows = [task.totals for task in tasks if isinstance(task.totals, TaskSummary)]
    return sorted({xid for row in rows for xid in row.transactions})


def terms_of(price: Price) -> PriceTerms:
    return PriceTerms(
        key=price.key,
        kind=price.kind,
        model=price.model,
        included=price.included,
        minimum=price.minimum,
        maximum=price.maximum,
        unit_rate=price.unit_rate,
    )


def _charge(charge: Charge, price: Price, quantity: Any) -> None:
    terms = terms_of(price)
    unit_amount = terms.unit_amount
    if unit_amount is None:
        charge.left_out.append((price.key, str(terms.reason)))
    elif quantity and price.meter is not None:
        amount = EXACT.multiply(quantity, unit_amount)
        charge.lines.append(ChargeLine(price.key, price.meter.key, quantity, unit_amount, amount))


def _meters(prices: Sequence[Price]) -> dict[Any, MeterVersion]:
    wanted = {price.meter_id for price in prices}
    return {version.meter_id: version for version in current_versions().filter(meter_id__in=wanted)} if wanted else {}


def _plans(tasks: Sequence[TaskView], organization_id: int) -> dict[str, list[PlanVersion]]:
    """The versions of plans and add-ons that each task's customer was on when it ended, by task id."""
    customers = {task.totals.customer for task in tasks if task.totals.customer}
    subscriptions: dict[str, list[Subscription]] = defaultdict(list)
    for one in (
        subscriptions_of(organization_id)
        .filter(customer__key__in=customers)
        .prefetch_related("plan_changes__plan_version__prices__meter", "add_ons__plan_version__prices__meter", "pauses")
    ):
        subscriptions[one.customer.key].append(one)
    found = {}
    for task in tasks:
        at = task.totals.ended_at or task.totals.latest_at
        versions = [v for one in subscriptions[task.totals.customer or ""] for v in _versions_at(one, at)]
        if versions:
            found[task.task_id] = versions
    return found


def _versions_at(subscription: Subscription, at: datetime) -> list[PlanVersion]:
    """By the days of the customer's zone, as fees are: the first and the last day count, a trial and a pause do not."""
    zone = ZoneInfo(subscription.customer.timezone)

    def day(instant: datetime) -> Any:
        return instant.astimezone(zone).date()

    today = day(at)
    ends = [subscription.ends_at] if subscription.ends_at else []
    if today < day(billed_from(subscription)) or any(today > day(e) for e in ends):
        return []
    if any(
        day(p.starts_at) < today and (p.ends_at is None or today < day(p.ends_at)) for p in subscription.pauses.all()
    ):
        return []
    version = subscription.plan_version
    for change in subscription.plan_changes.all():
        if day(change.starts_at) <= today:
            version = change.plan_version
    return [
        version,
        *(
            one.plan_version
            for one in subscription.add_ons.all()
            if day(one.starts_at) <= today and (one.ends_at is None or today <= day(one.ends_at))
        ),
    ]
