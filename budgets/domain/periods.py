"""The periods of budgets: calendar days, weeks and months of a time zone, or all of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from kernel.period import Month, Period, midnight

#: All of time, as far as the API knows any.
TOTAL = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC))

CALENDAR = ("day", "week", "month", "total")


def calendar_period(kind: str, now: datetime, zone: ZoneInfo) -> Period:
    """The day, week (from Monday, ISO 8601) or month of `zone` that `now` lies in; `total` is all of time.

    A day in which clocks change has 23 or 25 hours. `ValueError` for another kind.
    """
    if kind == "total":
        return TOTAL
    today = now.astimezone(zone).date()
    if kind == "month":
        return Month.of(now, zone).period(zone)
    if kind not in CALENDAR:
        raise ValueError(f"{kind!r} is no period of the calendar")
    first = today if kind == "day" else today - timedelta(days=today.weekday())
    return Period(midnight(first, zone), midnight(first + timedelta(days=1 if kind == "day" else 7), zone))
