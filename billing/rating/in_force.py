"""Which days of a billing period a subscription is charged fees for."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kernel.period import Period, midnight


def period_in_force(
    whole: Period, zone: ZoneInfo, *, starts_at: datetime, ends_at: datetime | None = None
) -> Period | None:
    """The days of `whole` on which a subscription was in force, as one period; None where it was on none.

    By the same rule as its fees (`billing.rating.proration`): the day it starts and the day it ends
    count whole, and an end at the very instant `whole` starts is the end of the period before.
    """
    if starts_at >= whole.end or (ends_at is not None and (ends_at <= whole.start or ends_at < starts_at)):
        return None  # one that ends on trial was never in force
    start = max(whole.start, midnight(starts_at.astimezone(zone).date(), zone))
    end = whole.end
    if ends_at is not None:
        end = min(end, midnight(ends_at.astimezone(zone).date() + timedelta(days=1), zone))
    return Period(start, end)
