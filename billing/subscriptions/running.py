"""Shared by all changes of a running subscription: lock, audit entry, current ends, and the later changes dropped."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from accounts.facade import record_audit
from billing.invoicing.bills import billing_period_at, open_bill, period_end
from billing.models import EmptyBill, Invoice, PlanChange, SeatChange, Subscription
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.timeline import billed_from, day_of, end_of, zone_of
from kernel.errors import ConflictError


class NotRunning(ConflictError):
    code = "subscription_not_running"


def lock(subscription: Subscription) -> Subscription:
    """The subscription with its terms, so that nothing else changes it meanwhile. Needs a transaction."""
    Subscription.objects.select_for_update(of=("self",)).get(pk=subscription.pk)
    return subscriptions_of(subscription.organization_id).get(pk=subscription.pk)


def lock_running(subscription: Subscription, now: datetime, *, in_trial: bool = True) -> Subscription:
    """`lock` one that has begun and not ended. Raise `NotRunning`, also for one on trial unless `in_trial`."""
    locked = lock(subscription)
    if now < locked.starts_at:
        raise NotRunning(f"This subscription begins at {written(locked.starts_at)}. Change it then")
    if locked.ends_at is not None and locked.ends_at <= now:
        raise NotRunning(f"This subscription ended at {written(locked.ends_at)}. Create another one")
    if not in_trial and now < billed_from(locked):
        raise NotRunning("This subscription is on trial. End the trial first, or wait until it is over")
    return locked


def written(instant: datetime) -> str:
    """An instant as error messages write it, without its fraction of a second."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def record(subscription: Subscription, action: str, **detail: Any) -> None:
    """Write `subscription.<action>` to the audit trail."""
    record_audit(
        organization_id=subscription.organization_id,
        action=f"subscription.{action}",
        target=subscription.pk,
        about=subscription.customer_id,
        **detail,
    )


def drop_changes(
    subscription: Subscription, changes: QuerySet[PlanChange] | QuerySet[SeatChange], *, now: datetime
) -> None:
    """Delete `changes`, and name those that were still to come in the subscription's `dropped_changes`: each with its
    `plan` and `plan_version`, or its `seats`, and `starts_at`."""
    named = [_named(one) for one in changes.order_by("starts_at", "pk") if one.starts_at > now]
    subscription.dropped_changes = [*subscription.dropped_changes, *named]
    changes.delete()


def _named(change: PlanChange | SeatChange) -> dict[str, Any]:
    if isinstance(change, SeatChange):
        return {"plan": None, "plan_version": None, "seats": change.seats, "starts_at": change.starts_at}
    version = change.plan_version
    return {"plan": version.plan.key, "plan_version": version.number, "seats": None, "starts_at": change.starts_at}


_INSTANT = timedelta(microseconds=1)


def current_period_end(subscription: Subscription, now: datetime) -> datetime:
    """When the period that `now` lies in ends. A trial is a period of its own."""
    since = billed_from(subscription)
    return since if now < since and subscription.trial_days else period_end(subscription, now)


def last_day(subscription: Subscription) -> date | None:
    """The last day that is charged, in the customer's zone; None without an end. An end at the very instant at which a
    period begins is the end of the one before."""
    ends_at = end_of(subscription)
    if ends_at is None:
        return None
    is_start = ends_at == billing_period_at(subscription, ends_at).start
    return day_of(ends_at - _INSTANT if is_start else ends_at, zone_of(subscription))


def takes_effect(subscription: Subscription, change: PlanChange | SeatChange) -> bool:
    """Return whether a change begins while the subscription lasts. One that does not is kept, and takes effect if the
    end is moved behind it or taken back."""
    last = last_day(subscription)
    return last is None or day_of(change.starts_at, zone_of(subscription)) <= last


def is_bill_issued(subscription: Subscription, at: datetime) -> bool:
    """Return whether the period that `at` lies in has its invoice."""
    bill = open_bill(subscription, at)
    if bill is None:
        return False
    asked = {"subscription": bill.subscription, "kind": bill.kind.value, "period_start": bill.in_force.start}
    return any(model.objects.filter(**asked).exists() for model in (Invoice, EmptyBill))
