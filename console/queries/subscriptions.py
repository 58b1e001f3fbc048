from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.facade import PlanVersion, Subscription, billed_from, seats_at, status_at, version_at


@dataclass(frozen=True, slots=True)
class SubscriptionNow:
    """A subscription with its plan version, seats and status as they are at an instant."""

    subscription: Subscription
    version: PlanVersion
    seats: int
    status: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something about a subscription that counts from a moment on."""

    at: datetime
    what: str
    is_ahead: bool


def as_of(subscription: Subscription, now: datetime) -> SubscriptionNow:
    """As the subscription is at `now`, or when it begins where that is later."""
    at = max(now, subscription.starts_at)
    return SubscriptionNow(
        subscription, version_at(subscription, at), seats_at(subscription, at), status_at(subscription, at)
    )


def history_of(subscription: Subscription, now: datetime) -> list[Happened]:
    """All that happened to a subscription and is set to happen, newest first."""
    found = [Happened(at, what, at > now) for at, what in _happened(subscription)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _happened(one: Subscription) -> Iterator[tuple[datetime, str]]:
    seats = f", {_seats(one.seats)}" if one.seats else ""
    yield one.starts_at, f"Began on {_version(one.plan_version)}{seats}"
    if one.trial_days:
        yield billed_from(one), "End of the trial"
    for change in one.plan_changes.all():
        yield change.starts_at, f"Moved to {_version(change.plan_version)}"
    for seat in one.seat_changes.all():
        yield seat.starts_at, f"Changed to {_seats(seat.seats)}"
    for pause in one.pauses.all():
        yield pause.starts_at, "Paused"
        if pause.ends_at:
            yield pause.ends_at, "Resumed"
    for add_on in one.add_ons.all():
        times = f" \u00d7 {add_on.quantity}" if add_on.quantity > 1 else ""
        yield add_on.starts_at, f"Added {add_on.plan_version.plan.name}{times}"
        if add_on.ends_at:
            yield add_on.ends_at, f"Removed {add_on.plan_version.plan.name}"
    if one.ends_at:
        yield one.ends_at, "Last day"


def _version(version: PlanVersion) -> str:
    return f"{version.plan.name}, version {version.number}"


def _seats(number: int) -> str:
    return f"{number:,} seat{'' if number == 1 else 's'}"
