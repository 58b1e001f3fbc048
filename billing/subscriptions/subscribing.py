"""Subscribing a customer to a plan, also again: one trial, and no day charged twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.facade import record_audit
from billing.announcing import tell
from billing.catalog.models import PriceKind
from billing.catalog.queries import newest_version, require_plan
from billing.customers.services import (
    require_open,
)
from billing.errors import KeyTaken
from billing.invoicing.bills import billing_period_at
from billing.models import Customer, Plan, PlanVersion, Subscription
from billing.subscriptions.models import Anchor, UsageMode
from billing.subscriptions.overlaps import usage_charged_once
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.running import is_bill_issued, last_day
from billing.subscriptions.timeline import billed_from, day_of, version_at, zone_of
from kernel.errors import ConflictError, FieldError, InvalidError
from kernel.period import midnight


class AlreadySubscribed(ConflictError):
    """The customer has a subscription to the plan that charges the same days."""

    code = "already_subscribed"


def trial_days_of(customer: Customer, version: PlanVersion, asked: int | None) -> int:
    """The trial of a new subscription: `asked`, or the plan's. Where the plan has a trial once per customer, none for
    one who had it, and `ConflictError` with code `trial_used` where one is asked for."""
    days = version.trial_days if asked is None else asked
    if not days or not version.trial_once_per_customer or not _had_trial(customer, version.plan_id):
        return days
    if asked is None:
        return 0
    raise ConflictError(
        f"{customer.key} had a trial of the plan {version.plan.key!r}. Leave out trial_days", code="trial_used"
    )


def _had_trial(customer: Customer, plan_id: str) -> bool:
    """Return whether a subscription with a trial was on the plan, unless it was cancelled before it began."""
    return any(
        one.trial_days and not _never_begins(one) and plan_id in _plans_on_trial(one)
        for one in subscriptions_of(customer.organization_id).filter(customer=customer)
    )


def _plans_on_trial(one: Subscription) -> set[str]:
    changes = [change for change in one.plan_changes.all() if change.starts_at < billed_from(one)]
    return {one.plan_version.plan_id, *(change.plan_version.plan_id for change in changes)}


def _is_charged_alone(customer: Customer, version: PlanVersion, usage: str) -> bool:
    """Return whether no day of a new subscription may be charged by another one to its plan: there is none without an
    end, beside which it is meant to run, and it does not count only events that name it."""
    endless = subscriptions_of(customer.organization_id).filter(customer=customer, ends_at=None)
    return usage != UsageMode.NAMED and all(
        version_at(one, one.starts_at).plan_id != version.plan_id
        and all(change.plan_version.plan_id != version.plan_id for change in one.plan_changes.all())
        for one in endless
    )


def share_days(subscription: Subscription, *, ended_before: date | None = None, is_new: bool = False) -> None:
    """Let each day of a plan be charged once, after `subscription` (with its terms) began or its end was moved from
    the day `ended_before` (None where it had none).

    The last day of one belongs to the next that begins on it. Raise `AlreadySubscribed` where more than that day would
    be charged by both. Two that ran beside each other before, and those that count only events that name them, are
    meant to.
    """
    others = [
        one
        for one in subscriptions_of(subscription.organization_id).filter(customer=subscription.customer_id)
        if one.pk != subscription.pk and not _never_begins(one)
    ]
    Subscription.objects.filter(pk=subscription.pk).update(continued_by=None, continued_on=None)
    if _never_begins(subscription):
        Subscription.objects.filter(continued_by=subscription).update(continued_by=None, continued_on=None)
        return
    zone = zone_of(subscription)
    for other in others:
        earlier, later = sorted((subscription, other), key=lambda one: (one.starts_at, one.pk))
        if not _same_things(earlier, later):
            continue
        first, last = day_of(later.starts_at, zone), last_day(earlier)
        if last is not None and last < first:
            continue
        if last == first and not is_bill_issued(earlier, midnight(first, zone)):
            _hand_over(earlier, later, first)
        elif (is_new and last is not None) or (earlier is subscription and ended_before and ended_before <= first):
            raise AlreadySubscribed(_in_words(earlier, later, first, last))


def _hand_over(earlier: Subscription, later: Subscription, day: date) -> None:
    """Charge the day to the later one, unless it costs nothing there."""
    if day_of(billed_from(later), zone_of(later)) == day:
        Subscription.objects.filter(pk=earlier.pk).update(continued_by=later, continued_on=day)


def _same_things(earlier: Subscription, later: Subscription) -> bool:
    """Return whether both are for the same plan, and neither counts only events that name it."""
    at = earlier.ends_at or later.starts_at
    same_plan = version_at(earlier, at).plan_id == version_at(later, later.starts_at).plan_id
    return same_plan and UsageMode.NAMED not in {earlier.usage, later.usage}


def _never_begins(one: Subscription) -> bool:
    """Return whether it ends before it costs anything. One that ends at the instant at which it starts is charged for
    that day, unless the day begins a period or its trial."""
    if one.ends_at is None or one.ends_at > one.starts_at:
        return False
    begins_period = bool(one.trial_days) or one.ends_at == billing_period_at(one, one.ends_at).start
    return one.ends_at < one.starts_at or begins_period


def _in_words(earlier: Subscription, later: Subscription, first: date, last: date | None) -> str:
    until = "without an end" if last is None else f"until {last:%Y-%m-%d}"
    after = "" if last is None else f", or begin the other on {last + timedelta(days=1):%Y-%m-%d}"
    plan = version_at(earlier, later.starts_at).plan.key
    return (
        f"The subscription {earlier.key or earlier.pk} to the plan {plan!r} is charged {until}, and another one would "
        f"be charged from {first:%Y-%m-%d}. Take the cancellation back, or end it now{after}. Where both are meant, "
        'create the other with "usage": "named"'
    )


def subscribe(
    *,
    customer: Customer,
    plan: Plan,
    starts_at: datetime,
    seats: int = 0,
    anchor: str = Anchor.CALENDAR,
    trial_days: int | None = None,
    key: str | None = None,
    usage: str = UsageMode.ANY,
    ends_at: datetime | None = None,
    now: datetime | None = None,
) -> Subscription:
    """Put a customer on the newest version of a plan from `starts_at` on.

    Its billing periods follow the calendar, or with the anchor `anniversary` begin on its first billed day.
    A trial is as long as the plan's unless `trial_days` says otherwise. Events name the subscription by its id or
    `key`; with `usage` `named` it counts no others. `ends_at` lies after the start, and not before `now`, where that is
    given. The last day of a subscription to the same plan belongs to one that begins on it.

    Raises `CurrencyMismatch` where the plan is in another currency than the customer, `KeyTaken`, `UsageOverlaps`
    where another subscription of the customer charges the usage already, `AlreadySubscribed` where one charges the
    same days, `ConflictError` with code `trial_used`, what `require_end` raises, and `InvalidError` where the plan has
    a seat price and no seats are given or the key looks like an id.
    """
    require_open(customer)
    version = newest_version(plan)
    require_plan(customer, version)
    require_offered(plan)
    require_no_add_on(version)
    require_seats(version, seats)
    if key is not None and key.startswith("sub_"):
        raise InvalidError("A key that begins with sub_ could be an id: choose another", code="key_invalid")
    if ends_at is not None:
        require_end(ends_at, starts_at=starts_at, now=now or starts_at)
    with transaction.atomic(), usage_charged_once(customer.organization_id, customer.pk):
        subscription = _create_subscription(
            organization_id=customer.organization_id,
            key=key,
            usage=usage,
            customer=customer,
            plan_version=version,
            starts_at=starts_at,
            anchor=anchor,
            trial_days=trial_days_of(customer, version, trial_days),
            seats=seats,
            ends_at=ends_at,
            charged_alone=_is_charged_alone(customer, version, usage),
        )
        share_days(subscription, is_new=True)
        tell("subscription.created", [subscription], at=subscription.created_at)
        record_audit(
            organization_id=customer.organization_id,
            action="subscription.create",
            target=subscription.pk,
            customer=customer.key,
            plan=plan.key,
            version=version.number,
            seats=seats,
            starts_at=starts_at,
            ends_at=ends_at,
        )
    return subscription


def require_end(ends_at: datetime, *, starts_at: datetime, now: datetime) -> None:
    """Raise `InvalidError` with code `ends_before_start` or `ends_in_past` for an end that cannot be set."""
    if ends_at <= starts_at:
        raise _end_refused("ends_before_start", f"ends_at lies before the start, {starts_at:%Y-%m-%dT%H:%M:%SZ}")
    if ends_at < now:
        raise _end_refused("ends_in_past", f"ends_at lies in the past. It is {now:%Y-%m-%dT%H:%M:%SZ}")


def _end_refused(code: str, detail: str) -> InvalidError:
    return InvalidError(detail, code=code, errors=[FieldError("/ends_at", code, detail)])


def _create_subscription(**fields: Any) -> Subscription:
    try:
        with transaction.atomic():
            return Subscription.objects.create(**fields)
    except IntegrityError as error:
        if "subscription_key_unique" not in str(error):
            raise
        raise KeyTaken(f"There is a subscription {fields['key']!r} already") from None


def require_offered(plan: Plan) -> None:
    """Raises `ConflictError` with code `plan_archived` for a plan that nobody new gets on."""
    if plan.archived_at is not None:
        raise ConflictError(f"The plan {plan.key!r} is archived: nobody new gets on it", code="plan_archived")


def require_no_add_on(version: PlanVersion) -> None:
    """Raises `InvalidError` with code `plan_is_an_add_on` for what a subscription cannot be on."""
    if version.plan.add_on:
        raise InvalidError("An add-on stands beside a plan: add it to a subscription", code="plan_is_an_add_on")


def require_seats(version: PlanVersion, seats: int) -> None:
    """Raises `InvalidError` with code `seats_missing` where the plan has a seat price and there is no seat."""
    if seats == 0 and any(price.kind == PriceKind.SEAT for price in version.prices.all()):
        raise InvalidError("This plan has a price per seat: say how many seats", code="seats_missing")
