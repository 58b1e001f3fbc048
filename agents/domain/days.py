"""Which part of a period can be answered from sums of whole days."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kernel.period import Period

_DAY, _LAST_HOUR = timedelta(days=1), timedelta(hours=23)


def take_apart(
    period: Period, *, window: str, zone: ZoneInfo, changes: Sequence[datetime]
) -> tuple[list[Period], list[Period]]:
    """Stretches of whole days of UTC, and the rest, both in order.

    Hours belong to the period and to the window (day or month of `zone`, or total) that they begin in. A day is whole
    where all its hours belong to the same, and to the same side of each of `changes`.
    """

    def place(hour: datetime) -> tuple[object, ...]:
        local = hour.astimezone(zone)
        windows = {"day": (local.year, local.month, local.day), "month": (local.year, local.month)}
        return bisect_right(changes, hour), windows.get(window)

    days: list[Period] = []
    day = datetime.combine(period.start.astimezone(UTC), time(), UTC)
    if day < period.start:
        day += _DAY
    while day + _LAST_HOUR < period.end:
        if place(day) == place(day + _LAST_HOUR):
            start = days.pop().start if days and days[-1].end == day else day
            days.append(Period(start, day + _DAY))
        day += _DAY
    return days, _between(period, days)


def _between(period: Period, days: Sequence[Period]) -> list[Period]:
    rest, begin = [], period.start
    for one in days:
        if begin < one.start:
            rest.append(Period(begin, one.start))
        begin = one.end
    return [*rest, Period(begin, period.end)] if begin < period.end else rest
