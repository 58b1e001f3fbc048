"""Changing a running subscription: seats, plan, add-ons, pauses. For ends see `billing.subscriptions.ends`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from billing.announcing import tell
from billing.catalog.queries import require_plan
from billing.credits.coupons import coupons_follow_first_period
from billing.models import PlanChange, PlanVersion, SeatChange, Subscription, SubscriptionAddOn, SubscriptionPause
from billing.subscriptions.overlaps import usage_charged_once
from billing.subscriptions.running import current_period_end, drop_changes, lock, lock_running, record, written
from billing.subscriptions.subscribing import require_no_add_on, require_offered, require_seats
from billing.subscriptions.timeline import billed_from, seats_at, version_at
from kernel.errors import ConflictError, InvalidError, NotFoundError


def change_seats(*, subscription: Subscription, seats: int, when: str, now: datetime) -> SeatChange:
    """Another number of seats from `now` on, or from the next period on; the day belongs to the new number.

    What that changes about a period paid for in advance is charged or given back with the next invoice. On trial it
    costs nothing. Seats that were to come are dropped, and named in `dropped_changes` of `subscription`. Raises
    `NotRunning` outside the subscription, and `ConflictError` with code `ends_before_change`.
    """
    with transaction.atomic():
        locked = lock_running(subscription, now)
        starts_at = _starts_at(locked, when, now)
        require_seats(version_at(locked, starts_at), seats)
        drop_changes(locked, locked.seat_changes.filter(starts_at__gte=starts_at), now=now)
        before = seats_at(locked, starts_at)
        change = SeatChange.objects.create(subscription=locked, seats=seats, starts_at=starts_at)
        states = {"before": {"seats": before}, "after": {"seats": seats}, "starts_at": starts_at}
        record(locked, "change_seats", **states, **_dropped(locked))
        subscription.dropped_changes = locked.dropped_changes
        tell("subscription.changed", [locked], at=now)
        return change


def change_plan(
    *,
    subscription: Subscription,
    version: PlanVersion,
    when: str,
    now: datetime,
    seats: int | None = None,
    keeps_leaving: bool = False,
) -> PlanChange:
    """Another plan version, from `now` on or from the next period on; the day belongs to the new one.

    With the same interval the billing periods go on as they were; another interval begins one on that day. What
    was paid in advance and is not used is given back with the next invoice. Changes that were to come are dropped, and
    named in `dropped_changes` of `subscription`; with `keeps_leaving`, not those to other plans.
    Raises as `change_seats`, `CurrencyMismatch`, `UsageOverlaps`, and
    `InvalidError` where seats are missing or an add-on has another interval (`interval_mismatch`).
    """
    with transaction.atomic(), usage_charged_once(subscription.organization_id, subscription.customer_id):
        locked = lock_running(subscription, now)
        require_plan(locked.customer, version)
        require_no_add_on(version)
        starts_at = _starts_at(locked, when, now)
        _require_interval_of_add_ons(locked, version, starts_at)
        if version.plan_id != version_at(locked, starts_at).plan_id:
            require_offered(version.plan)
        require_seats(version, seats_at(locked, starts_at) if seats is None else seats)
        # One that took effect at this very instant may be invoiced already: it stays, and this one comes after it.
        dropped = locked.plan_changes.filter(starts_at__gte=starts_at, starts_at__gt=now)
        if keeps_leaving:
            dropped = dropped.filter(plan_version__plan=version.plan_id)
        drop_changes(locked, dropped, now=now)
        if seats is not None:
            drop_changes(locked, locked.seat_changes.filter(starts_at__gte=starts_at), now=now)
            SeatChange.objects.create(subscription=locked, seats=seats, starts_at=starts_at)
        left = version_at(locked, starts_at)
        change = PlanChange.objects.create(subscription=locked, plan_version=version, starts_at=starts_at)
        if now < billed_from(locked):  # `locked` was loaded with the changes of before
            coupons_follow_first_period(subscription=lock(locked), before=locked)
        record(
            locked,
            "change_plan",
            before={"plan": left.plan.key, "version": left.number},
            after={"plan": version.plan.key, "version": version.number},
            starts_at=starts_at,
            **_dropped(locked),
        )
        subscription.dropped_changes = locked.dropped_changes
        tell("subscription.changed", [locked], at=now)
        return change


def pause_subscription(*, subscription: Subscription, now: datetime) -> SubscriptionPause:
    """Charge nothing from tomorrow on, until it is resumed. Pausing a paused one changes nothing."""
    with transaction.atomic():
        locked = lock_running(subscription, now, in_trial=False)
        found = locked.pauses.filter(ends_at=None).first()
        if found is None:
            found = SubscriptionPause.objects.create(subscription=locked, starts_at=now)
            tell("subscription.paused", [locked], at=now)
            record(locked, "pause", starts_at=now)
        return found


def resume_subscription(*, subscription: Subscription, now: datetime) -> SubscriptionPause:
    """Charge again, from today on. Raises `ConflictError` with code `not_paused`, and `UsageOverlaps` where another
    subscription charges the usage by now."""
    with transaction.atomic(), usage_charged_once(subscription.organization_id, subscription.customer_id):
        locked = lock_running(subscription, now)
        found = locked.pauses.filter(ends_at=None).first()
        if found is None:
            raise ConflictError("This subscription is not paused", code="not_paused")
        found.ends_at = max(now, found.starts_at)
        found.save(update_fields=["ends_at"])
        tell("subscription.resumed", [locked], at=now)
        record(locked, "resume", ends_at=found.ends_at)
        return found


def add_add_on(*, subscription: Subscription, version: PlanVersion, quantity: int, now: datetime) -> SubscriptionAddOn:
    """Charge an add-on beside the plan from `now` on. With another quantity, the add-on that runs is replaced.

    Raises `InvalidError` for a plan that is no add-on, or of another interval than the subscription's, and
    `UsageOverlaps` where the usage is charged already.
    """
    with transaction.atomic(), usage_charged_once(subscription.organization_id, subscription.customer_id):
        locked = lock_running(subscription, now)
        require_plan(locked.customer, version)
        require_offered(version.plan)
        if not version.plan.add_on:
            raise InvalidError(f"The plan {version.plan.key!r} is no add-on", code="not_an_add_on")
        to_come = [one.plan_version for one in locked.plan_changes.all() if one.starts_at > now]
        if any(not _same_interval(version, one) for one in [version_at(locked, now), *to_come]):
            raise InvalidError(
                "An add-on has the interval of the plan it is charged beside, now and after changes to come",
                code="interval_mismatch",
            )
        of_plan = locked.add_ons.filter(plan_version__plan=version.plan)
        for running in of_plan.filter(Q(ends_at=None) | Q(ends_at__gt=now)):
            _end_add_on(running, now)
        added = SubscriptionAddOn.objects.create(
            subscription=locked, plan_version=version, quantity=quantity, starts_at=now
        )
        record(locked, "add_add_on", plan=version.plan.key, quantity=quantity)
        tell("subscription.changed", [locked], at=now)
        return added


def remove_add_on(*, subscription: Subscription, add_on: str, when: str, now: datetime) -> None:
    """Stop charging an add-on (its id or its plan's key) after today, or at the end of the period."""
    with transaction.atomic():
        locked = lock_running(subscription, now)
        running = locked.add_ons.filter(Q(pk=add_on) | Q(plan_version__plan__key=add_on), ends_at=None).first()
        if running is None:
            raise NotFoundError(f"This subscription has no add-on {add_on!r}", code="add_on_not_found")
        running.ends_at = now if when == "now" else current_period_end(locked, now)
        running.save(update_fields=["ends_at"])
        record(locked, "remove_add_on", add_on=running.pk, ends_at=running.ends_at)
        tell("subscription.changed", [locked], at=now)


def _starts_at(subscription: Subscription, when: str, now: datetime) -> datetime:
    """When a change takes effect. Raise `ConflictError` with code `ends_before_change` where it never would."""
    starts_at = now if when == "now" else current_period_end(subscription, now)
    if subscription.ends_at is not None and subscription.ends_at <= starts_at:
        raise ConflictError(
            f"This subscription ends at {written(subscription.ends_at)}, before the change. Change it now, or take the "
            "cancellation back first",
            code="ends_before_change",
        )
    return starts_at


def _same_interval(one: PlanVersion, other: PlanVersion) -> bool:
    return (one.interval, one.interval_count) == (other.interval, other.interval_count)


def _require_interval_of_add_ons(subscription: Subscription, version: PlanVersion, starts_at: datetime) -> None:
    """Raise `InvalidError` with code `interval_mismatch` where an add-on of another interval would still be charged."""
    for add_on in subscription.add_ons.all():
        runs = add_on.ends_at is None or add_on.ends_at > starts_at
        if runs and not _same_interval(add_on.plan_version, version):
            key = add_on.plan_version.plan.key
            raise InvalidError(
                f"The add-on {key!r} has another interval than this plan. Remove it by then, and add one of the new "
                "interval after the change",
                code="interval_mismatch",
            )


def _dropped(subscription: Subscription) -> dict[str, Any]:
    """What the audit trail says of changes that were dropped."""
    return {"dropped_changes": list(subscription.dropped_changes)} if subscription.dropped_changes else {}


def _end_add_on(running: SubscriptionAddOn, now: datetime) -> None:
    """End its usage at `now`, and its fees with the day before: the day belongs to the one that takes its place. One
    that begins at this very instant is undone."""
    if running.starts_at >= now:
        running.delete()
    else:
        running.ends_at = now
        running.save(update_fields=["ends_at"])
