"""Changing a running subscription: its seats, its plan, its add-ons, a pause, its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.facade import record_audit
from billing.announcing import tell
from billing.models import PlanChange, PlanVersion, SeatChange, Subscription, SubscriptionAddOn, SubscriptionPause
from billing.queries.bills import period_end
from billing.queries.customers import subscriptions_of
from billing.queries.timeline import billed_from, seats_at, version_at, zone_of
from billing.services.customers import require_no_add_on, require_offered, require_plan, require_seats
from kernel.errors import ConflictError, InvalidError, NotFoundError
from kernel.period import midnight


class NotRunning(ConflictError):
    code = "subscription_not_running"


def change_seats(*, subscription: Subscription, seats: int, when: str, now: datetime) -> SeatChange:
    """Another number of seats from `now` on, or from the next period on; the day belongs to the new number.

    What that changes about a period paid for in advance is charged or given back with the next invoice.
    Raises `NotRunning` outside the subscription.
    """
    with transaction.atomic():
        locked = _lock(subscription, now)
        starts_at = now if when == "now" else period_end(locked, now)
        require_seats(version_at(locked, starts_at), seats)
        locked.seat_changes.filter(starts_at__gte=starts_at).delete()
        before = seats_at(locked, starts_at)
        change = SeatChange.objects.create(subscription=locked, seats=seats, starts_at=starts_at)
        _record(locked, "change_seats", before={"seats": before}, after={"seats": seats}, starts_at=starts_at)
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
    was paid in advance and is not used is given back with the next invoice. Changes that were to come are dropped; with
    `keeps_leaving`, not those to other plans. Raises `NotRunning`, `CurrencyMismatch`, and
    `InvalidError` where seats are missing.
    """
    with transaction.atomic():
        locked = _lock(subscription, now)
        require_plan(locked.customer, version)
        require_no_add_on(version)
        starts_at = now if when == "now" else period_end(locked, now)
        if version.plan_id != version_at(locked, starts_at).plan_id:
            require_offered(version.plan)
        require_seats(version, seats_at(locked, starts_at) if seats is None else seats)
        dropped = locked.plan_changes.filter(starts_at__gte=starts_at)
        (dropped.filter(plan_version__plan=version.plan_id) if keeps_leaving else dropped).delete()
        if seats is not None:
            locked.seat_changes.filter(starts_at__gte=starts_at).delete()
            SeatChange.objects.create(subscription=locked, seats=seats, starts_at=starts_at)
        left = version_at(locked, starts_at)
        change = PlanChange.objects.create(subscription=locked, plan_version=version, starts_at=starts_at)
        _record(
            locked,
            "change_plan",
            before={"plan": left.plan.key, "version": left.number},
            after={"plan": version.plan.key, "version": version.number},
            starts_at=starts_at,
        )
        tell("subscription.changed", [locked], at=now)
        return change


def pause_subscription(*, subscription: Subscription, now: datetime) -> SubscriptionPause:
    """Charge nothing from tomorrow on, until it is resumed. Pausing a paused one changes nothing."""
    with transaction.atomic():
        locked = _lock(subscription, now)
        found = locked.pauses.filter(ends_at=None).first()
        if found is None:
            found = SubscriptionPause.objects.create(subscription=locked, starts_at=now)
            tell("subscription.paused", [locked], at=now)
            _record(locked, "pause", starts_at=now)
        return found


def resume_subscription(*, subscription: Subscription, now: datetime) -> SubscriptionPause:
    """Charge again, from today on. Raises `ConflictError` with code `not_paused`."""
    with transaction.atomic():
        locked = _lock(subscription, now)
        found = locked.pauses.filter(ends_at=None).first()
        if found is None:
            raise ConflictError("This subscription is not paused", code="not_paused")
        found.ends_at = max(now, found.starts_at)
        found.save(update_fields=["ends_at"])
        tell("subscription.resumed", [locked], at=now)
        _record(locked, "resume", ends_at=found.ends_at)
        return found


def cancel_subscription(*, subscription: Subscription, ends_at: datetime, now: datetime) -> Subscription:
    """End a subscription; the day of `ends_at` still counts. An end once set is not moved. One that has not begun by
    then never does.

    What was paid in advance for the days after it is given back with the last invoice.
    """
    if subscription.ends_at is not None:
        raise ConflictError("This subscription ends already", code="already_cancelled")
    if ends_at < subscription.starts_at:
        zone = zone_of(subscription)
        ends_at = midnight(subscription.starts_at.astimezone(zone).date(), zone) - timedelta(microseconds=1)
    with transaction.atomic():
        subscription.ends_at = ends_at
        subscription.save(update_fields=["ends_at"])
        tell("subscription.cancelled", [subscription], at=now)
        _record(subscription, "cancel", ends_at=ends_at)
    return subscription


def add_add_on(*, subscription: Subscription, version: PlanVersion, quantity: int, now: datetime) -> SubscriptionAddOn:
    """Charge an add-on beside the plan from `now` on. With another quantity, the add-on that runs is replaced.

    Raises `InvalidError` for a plan that is no add-on, or of another interval than the subscription's.
    """
    with transaction.atomic():
        locked = _lock(subscription, now)
        require_plan(locked.customer, version)
        of_now = version_at(locked, now)
        require_offered(version.plan)
        if not version.plan.add_on:
            raise InvalidError(f"The plan {version.plan.key!r} is no add-on", code="not_an_add_on")
        if (version.interval, version.interval_count) != (of_now.interval, of_now.interval_count):
            raise InvalidError("An add-on has the interval of the plan it stands beside", code="interval_mismatch")
        of_plan = locked.add_ons.filter(plan_version__plan=version.plan)
        for running in of_plan.filter(Q(ends_at=None) | Q(ends_at__gt=now)):
            _end_add_on(running, locked, now)
        added = SubscriptionAddOn.objects.create(
            subscription=locked, plan_version=version, quantity=quantity, starts_at=now
        )
        _record(locked, "add_add_on", plan=version.plan.key, quantity=quantity)
        tell("subscription.changed", [locked], at=now)
        return added


def remove_add_on(*, subscription: Subscription, add_on: str, when: str, now: datetime) -> None:
    """Stop charging an add-on (its id or its plan's key) after today, or at the end of the period."""
    with transaction.atomic():
        locked = _lock(subscription, now)
        running = locked.add_ons.filter(Q(pk=add_on) | Q(plan_version__plan__key=add_on), ends_at=None).first()
        if running is None:
            raise NotFoundError(f"This subscription has no add-on {add_on!r}", code="add_on_not_found")
        running.ends_at = now if when == "now" else period_end(locked, now)
        running.save(update_fields=["ends_at"])
        _record(locked, "remove_add_on", add_on=running.pk, ends_at=running.ends_at)
        tell("subscription.changed", [locked], at=now)


def _record(subscription: Subscription, action: str, **detail: Any) -> None:
    record_audit(
        organization_id=subscription.organization_id,
        action=f"subscription.{action}",
        target=subscription.pk,
        **detail,
    )


def _end_add_on(running: SubscriptionAddOn, subscription: Subscription, now: datetime) -> None:
    """End it with the day before `now`, or undo it where it began today: the day belongs to what is new."""
    zone = zone_of(subscription)
    today = midnight(now.astimezone(zone).date(), zone)
    if running.starts_at >= today:
        running.delete()
    else:
        running.ends_at = today - timedelta(microseconds=1)
        running.save(update_fields=["ends_at"])


def _lock(subscription: Subscription, now: datetime) -> Subscription:
    """The subscription, so that nobody else changes it meanwhile, with its terms. Raises `NotRunning`."""
    Subscription.objects.select_for_update(of=("self",)).get(pk=subscription.pk)
    locked = subscriptions_of(subscription.organization_id).get(pk=subscription.pk)
    if locked.ends_at is not None or now < billed_from(locked):
        raise NotRunning("This subscription is not running: it has not begun, is on trial, or has an end")
    return locked
