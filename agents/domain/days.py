"""Which part of a period can be answered from sums of whole days or months."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kernel.period import Month, Period

_UTC = ZoneInfo("UTC")
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


def nearest_months(period: Period, *, changes: Sequence[datetime]) -> tuple[list[Period], list[Period], list[Period]]:
    """Months of UTC whose sums come nearest to a period's; what is to be added to them, and what to be taken off.

    A month is taken whole where most of it lies in the period: less is read by taking off the rest of its hours than by
    adding up the others. None of `changes` lies within such a month. Hours belong to the period that they begin in.
    """
    whole: list[Period] = []
    more: list[Period] = []
    less: list[Period] = []
    for month in _months(period):
        within = Period(max(month.start, period.start), min(month.end, period.end))
        without = _between(month, [within])
        left = sum((one.end - one.start for one in without), timedelta())
        last = month.end - timedelta(hours=1)
        if left < within.end - within.start and bisect_right(changes, month.start) == bisect_right(changes, last):
            whole.append(month)
            less += without
        else:
            more.append(within)
    return whole, more, less


def _months(period: Period) -> Iterator[Period]:
    month = Month.of(period.start, _UTC)
    while (whole := month.period(_UTC)).start < period.end:
        yield whole
        month = month.next()


def _between(period: Period, days: Sequence[Period]) -> list[Period]:
    rest, begin = [], period.start
    for one in days:
        if begin < one.start:
            rest.append(Period(begin, one.start))
        begin = one.end
    return [*rest, Period(begin, period.end)] if begin < period.end else rest
