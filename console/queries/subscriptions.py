from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.facade import PlanVersion, Subscription, seats_at, status_at, version_at


@dataclass(frozen=True, slots=True)
class SubscriptionNow:
    """A subscription with its plan version, seats and status as they are at an instant."""

    subscription: Subscription
    version: PlanVersion
    seats: int
    status: str


def as_of(subscription: Subscription, now: datetime) -> SubscriptionNow:
    """As the subscription is at `now`, or when it begins where that is later."""
    at = max(now, subscription.starts_at)
    return SubscriptionNow(
        subscription, version_at(subscription, at), seats_at(subscription, at), status_at(subscription, at)
    )
