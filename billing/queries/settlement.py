from __future__ import annotations

from datetime import datetime, timedelta

from billing.models.catalogue import SETTLEMENT_HOURS
from billing.queries.customers import subscriptions_of
from billing.queries.timeline import status_at, version_at


def settlement_window(*, organization_id: int, customer: str | None, at: datetime) -> timedelta:
    """How long after `at`, a task's end, its outcome may still be settled: the longest of what the plans say that
    `customer` (its key) is on at that time, and 72 hours without one."""
    found = subscriptions_of(organization_id).filter(customer__key=customer) if customer else ()
    hours = [
        version_at(one, at).settlement_hours for one in found if status_at(one, at) != "ended" and one.starts_at <= at
    ]
    return timedelta(hours=max(hours, default=SETTLEMENT_HOURS))
