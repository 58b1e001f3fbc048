"""Subscriptions as an upgrade left them whose usage had been charged by days: some databases have such rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from billing.models import PlanChange, Subscription, SubscriptionAddOn, SubscriptionPause
from kernel.period import midnight

_DAY = timedelta(days=1)


def keep_days() -> None:
    """Store the midnights between which the usage of subscriptions, changes, pauses and add-ons is charged."""
    zones = dict(Subscription.objects.values_list("pk", "customer__timezone"))
    _keep(Subscription, "pk", zones)
    _keep(PlanChange, "subscription_id", zones, has_end=False)
    _keep(SubscriptionPause, "subscription_id", zones, is_pause=True)
    _keep(SubscriptionAddOn, "subscription_id", zones)


def _keep(model: Any, owner: str, zones: dict[str, str], *, has_end: bool = True, is_pause: bool = False) -> None:
    changed = []
    for row in model.objects.iterator(chunk_size=2000):
        zone = ZoneInfo(zones[getattr(row, owner)])
        # The day a subscription starts and the day it ends count; of a pause neither is part.
        row.usage_starts_at = midnight(_day(row.starts_at, zone) + (_DAY if is_pause else timedelta(0)), zone)
        if has_end and row.ends_at is not None:
            row.usage_ends_at = midnight(_day(row.ends_at, zone) + (timedelta(0) if is_pause else _DAY), zone)
        changed.append(row)
    fields = ["usage_starts_at", "usage_ends_at"] if has_end else ["usage_starts_at"]
    model.objects.bulk_update(changed, fields, batch_size=1000)


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()
