"""Cutting time into windows: minutes, hours, days and months of a time zone, or one window for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from kernel.errors import InvalidError
from kernel.period import Month, Period, midnight

WINDOWS = ("minute", "hour", "day", "month", "total")

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)

_LENGTH = {"minute": timedelta(minutes=1), "hour": HOUR, "day": DAY}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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


def window_start(instant: datetime, window: str, zone: ZoneInfo) -> datetime:
    """The instant at which the day or month of `zone` that `instant` lies in begins; for other windows `instant`."""
    local = instant.astimezone(zone)
    if window == "day":
        return midnight(local.date(), zone)
    if window == "month":
        return midnight(local.date().replace(day=1), zone)
    return instant


def window_end(start: datetime, window: str, zone: ZoneInfo) -> datetime:
    """The instant at which the window that begins at `start` ends; days and months end at midnight in `zone`."""
    if window in {"minute", "hour"}:
        return start + _LENGTH[window]
    local = start.astimezone(zone)
    if window == "day":
        return midnight(local.date() + timedelta(days=1), zone)
    return midnight(Month(local.year, local.month).next().first_day, zone)


@dataclass(frozen=True, slots=True)
class Pieces:
    """A period taken apart: whole days of UTC, whole grains of a finer kind, and what is left.

    No piece lies across a cut between two windows.
    """

    days: tuple[Period, ...] = ()
    grains: tuple[Period, ...] = ()
    rest: tuple[Period, ...] = ()


def take_apart(period: Period, window: str, zone: ZoneInfo, grain: timedelta) -> Pieces:
    """`period` in the largest pieces that do not lie across a cut into `window`s of `zone`.

    The days of Asia/Kolkata (+05:30) begin at 18:30 UTC: with a grain of an hour, each leaves two rests of half
    an hour; with one of a quarter, none. `grain` divides a day and is counted from midnight UTC.
    """
    if window == "minute" or (window == "hour" and not _offsets_divide_by(grain, period, zone)):
        return Pieces(rest=(period,))
    days, grains, rest = _Spans(), _Spans(), _Spans()
    for start, end in _windows(period, window, zone):
        first, last = _up(start, grain), _down(end, grain)
        if first >= last:
            rest.add(start, end)
            continue
        first_day, last_day = _up(start, DAY), _down(end, DAY)
        if window == "hour" or first_day >= last_day:
            first_day = last_day = last
        rest.add(start, first)
        grains.add(first, first_day)
        days.add(first_day, last_day)
        grains.add(last_day, last)
        rest.add(last, end)
    return Pieces(days.periods(), grains.periods(), rest.periods())


class _Spans:
    """Spans in the order of time; those that touch become one."""

    def __init__(self) -> None:
        self._found: list[tuple[datetime, datetime]] = []

    def add(self, start: datetime, end: datetime) -> None:
        if start == end:
            return
        if self._found and self._found[-1][1] == start:
            start, _ = self._found.pop()
        self._found.append((start, end))

    def periods(self) -> tuple[Period, ...]:
        return tuple(Period(start, end) for start, end in self._found)


def _windows(period: Period, window: str, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Days or months one by one. Hours are not told apart: their cuts lie on the grain."""
    start = period.start
    while start < period.end:
        end = min(period.end, window_end(start, window, zone)) if window in {"day", "month"} else period.end
        yield start, end
        start = end


def _offsets_divide_by(grain: timedelta, period: Period, zone: ZoneInfo) -> bool:
    """Whether `zone` is a multiple of `grain` off UTC throughout. No zone changes twice within a day."""
    instants = [period.start + n * DAY for n in range((period.end - period.start) // DAY + 1)]
    return not any((i.astimezone(zone).utcoffset() or timedelta()) % grain for i in (*instants, period.end))


def day_of(instant: datetime) -> datetime:
    """Midnight UTC of the day that `instant` lies in."""
    return _down(instant, DAY)


def _down(instant: datetime, length: timedelta) -> datetime:
    return instant - (instant - _EPOCH) % length


def _up(instant: datetime, length: timedelta) -> datetime:
    return instant + (_EPOCH - instant) % length
