"""Cutting time into windows: minutes, hours, days and months of a time zone, or one window for all."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kernel.errors import InvalidError
from kernel.period import Month, Period, midnight

WINDOWS = ("minute", "hour", "day", "month", "total")

_LENGTH = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}

MAX_WINDOWS = 100_000


class WindowInvalid(InvalidError):
    code = "window_invalid"


def check_window(period: Period, window: str) -> None:
    """Raises `WindowInvalid` for an unknown window, or where `period` has more than `MAX_WINDOWS` of them."""
    if window not in WINDOWS:
        raise WindowInvalid(f"window must be one of {', '.join(WINDOWS)}")
    length = _LENGTH.get(window)
    if length and (period.end - period.start) / length > MAX_WINDOWS:
        raise WindowInvalid(f"This period has more than {MAX_WINDOWS:,} windows of a {window}", code="too_many_windows")


def window_end(start: datetime, window: str, zone: ZoneInfo) -> datetime:
    """The instant at which the window that begins at `start` ends; days and months end at midnight in `zone`."""
    if window in {"minute", "hour"}:
        return start + _LENGTH[window]
    local = start.astimezone(zone)
    if window == "day":
        return midnight(local.date() + timedelta(days=1), zone)
    return midnight(Month(local.year, local.month).next().first_day, zone)


def is_on_the_hour(instant: datetime) -> bool:
    """Whether `instant` lies on a full hour of UTC, where the projection's buckets are cut."""
    return instant.minute == instant.second == instant.microsecond == 0


def cuts_on_the_hour(period: Period, window: str, zone: ZoneInfo) -> bool:
    """Whether every cut of `period` into `window`s lies on a full hour of UTC.

    Zones such as Asia/Kolkata (+05:30) cut their days at the half hour. An offset is asked for at
    each day's start, so a period in which a zone changes its minutes is seen too.
    """
    if not (is_on_the_hour(period.start) and is_on_the_hour(period.end)):
        return False
    if window in {"minute"}:
        return False
    if window == "total":
        return True
    day = timedelta(days=1 if window != "month" else 27)
    instant = period.start
    while instant < period.end:
        if instant.astimezone(zone).utcoffset() % timedelta(hours=1):  # type: ignore[operator]
            return False
        instant += day
    return True
