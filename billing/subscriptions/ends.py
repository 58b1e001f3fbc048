"""Ends of subscriptions and trials: set, moved, taken back, brought forward."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from billing.announcing import tell
from billing.credits.coupons import coupons_follow_first_period
from billing.customers.services import require_open
from billing.models import Subscription
from billing.subscriptions.overlaps import usage_charged_once
from billing.subscriptions.running import is_bill_issued, last_day, lock, lock_running, record, written
from billing.subscriptions.subscribing import require_end, share_days
from billing.subscriptions.timeline import billed_from, zone_of
from kernel.errors import ConflictError
from kernel.period import midnight


def cancel_subscription(*, subscription: Subscription, ends_at: datetime, now: datetime) -> Subscription:
    """End a subscription; the day of `ends_at` still counts. One that has not begun by then never does.

    Bring an end forward that is to come; the same end changes nothing. What was paid in advance for the days after it
    is given back with the last invoice. Raise `ConflictError` with code `already_cancelled` where it ends before.
    """
    with transaction.atomic():
        locked = lock(subscription)
        if ends_at < locked.starts_at:
            zone = zone_of(locked)
            ends_at = midnight(locked.starts_at.astimezone(zone).date(), zone) - timedelta(microseconds=1)
        before = locked.ends_at
        if before is not None and before != ends_at and (before <= now or before < ends_at):
            raise ConflictError(
                f"This subscription ends at {written(before)} already. Set ends_at to move its end",
                code="already_cancelled",
            )
        _set_end(locked, ends_at, now, "cancel")
    subscription.ends_at = locked.ends_at
    return subscription


def uncancel_subscription(*, subscription: Subscription, now: datetime) -> Subscription:
    """Take back an end that is to come. Raise as `set_end`, and `ConflictError` with code `not_cancelled`."""
    if subscription.ends_at is None:
        raise ConflictError("This subscription has no end to take back", code="not_cancelled")
    return _move_end(subscription, None, now, "uncancel")


def set_end(*, subscription: Subscription, ends_at: datetime | None, now: datetime) -> Subscription:
    """Let a subscription end at an instant to come, sooner or later than before; None for no end.

    Raise `InvalidError` with code `ends_in_past` or `ends_before_start`; `ConflictError` with code `subscription_ended`
    where it has ended, `already_invoiced` where its last period has its invoice; `UsageOverlaps` where another
    subscription charges its usage by then.
    """
    if ends_at is not None:
        require_end(ends_at, starts_at=subscription.starts_at, now=now)
    return _move_end(subscription, ends_at, now, "change_end")


def end_trial(*, subscription: Subscription, now: datetime) -> Subscription:
    """End the trial now: usage is charged from this instant on, fees from today on. What was to change at the trial's
    end changes now.

    Raise `NotRunning`, and `ConflictError` with code `not_on_trial`, or `ends_with_trial` where it was cancelled at the
    trial's end.
    """
    with transaction.atomic(), usage_charged_once(subscription.organization_id, subscription.customer_id):
        locked = lock_running(subscription, now)
        planned = billed_from(locked)
        if now >= planned:
            raise ConflictError("This subscription is not on trial", code="not_on_trial")
        if locked.ends_at is not None and locked.ends_at <= planned:
            raise ConflictError(
                f"This subscription ends at {written(locked.ends_at)}, with its trial. Take that back first",
                code="ends_with_trial",
            )
        for changes in (locked.plan_changes, locked.seat_changes):
            changes.filter(starts_at=planned).update(starts_at=now)
        Subscription.objects.filter(pk=locked.pk).update(trial_ended_at=now)
        ended = lock(locked)
        coupons_follow_first_period(subscription=ended, before=locked)
        share_days(ended, ended_before=last_day(ended))
        record(locked, "end_trial", before={"trial_ends_at": planned}, after={"trial_ends_at": now})
        tell("subscription.changed", [ended], at=now)
    return ended


def _move_end(subscription: Subscription, ends_at: datetime | None, now: datetime, action: str) -> Subscription:
    with transaction.atomic(), usage_charged_once(subscription.organization_id, subscription.customer_id):
        locked = lock(subscription)
        before = locked.ends_at
        if before is not None and before <= now:
            raise ConflictError(
                f"This subscription ended at {written(before)}. Create another one", code="subscription_ended"
            )
        if before is not None and (ends_at is None or ends_at > before):
            require_open(locked.customer)
            if is_bill_issued(locked, now):
                raise ConflictError(
                    "The last period of this subscription is invoiced already. Create another one from its end on",
                    code="already_invoiced",
                )
        _set_end(locked, ends_at, now, action)
    return locked


def _set_end(locked: Subscription, ends_at: datetime | None, now: datetime, action: str) -> None:
    before, ended_before = locked.ends_at, last_day(locked)
    if ends_at == before:
        return
    locked.ends_at, locked.usage_ends_at = ends_at, None
    locked.save(update_fields=["ends_at", "usage_ends_at"])
    share_days(locked, ended_before=ended_before)
    is_sooner = ends_at is not None and (before is None or ends_at < before)
    tell("subscription.cancelled" if is_sooner else "subscription.changed", [locked], at=now)
    record(locked, action, before={"ends_at": before}, after={"ends_at": ends_at})
