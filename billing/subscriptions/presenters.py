"""Filling the API answers of subscriptions."""

from __future__ import annotations

from typing import Any

from billing.models import (
    PlanChange,
    PlanVersion,
    Price,
    SeatChange,
    Subscription,
    SubscriptionAddOn,
)
from billing.subscriptions.running import takes_effect
from billing.subscriptions.timeline import billed_from, seats_at, status_at, version_at
from billing.test_clocks.queries import clock_of


def subscription(one: Subscription) -> dict[str, Any]:
    """With its plan and seats as they are now, by the customer's clock, or at its start where that is to come."""
    today = clock_of(one.customer)()
    now = max(today, one.starts_at)
    version = version_at(one, now)
    return {
        "id": one.id,
        "key": one.key,
        "customer": one.customer.key,
        "status": status_at(one, today),
        "usage": one.usage,
        "plan": version.plan.key,
        "plan_version": version.number,
        "overridden_prices": overridden(version),
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "anchor": one.anchor,
        "trial_days": one.trial_days,
        "trial_ends_at": billed_from(one) if one.trial_days else None,
        "continued_by": one.continued_by_id,
        "seats": seats_at(one, now),
        "seat_changes": [{"seats": c.seats} | _starts(one, c) for c in one.seat_changes.all()],
        "plan_changes": [
            {"plan": c.plan_version.plan.key, "plan_version": c.plan_version.number} | _starts(one, c)
            for c in one.plan_changes.all()
        ],
        "dropped_changes": list(one.dropped_changes),
        "pauses": [{"starts_at": pause.starts_at, "ends_at": pause.ends_at} for pause in one.pauses.all()],
        "add_ons": [_add_on(add_on) for add_on in one.add_ons.all()],
        "created_at": one.created_at,
    }


def _starts(one: Subscription, change: PlanChange | SeatChange) -> dict[str, Any]:
    return {"starts_at": change.starts_at, "takes_effect": takes_effect(one, change)}


def overridden(version: PlanVersion) -> list[str]:
    """The keys of the prices that are the customer's own."""
    if version.based_on is None:
        return []
    terms = {price.key: _terms(price) for price in version.based_on.prices.all()}
    return [price.key for price in version.prices.all() if terms.get(price.key) != _terms(price)]


def _terms(one: Price) -> tuple[Any, ...]:
    return one.name, one.model, one.included, one.minimum, one.maximum


def _add_on(one: SubscriptionAddOn) -> dict[str, Any]:
    names = "id quantity starts_at ends_at"
    return {name: getattr(one, name) for name in names.split()} | {"plan": one.plan_version.plan.key}
