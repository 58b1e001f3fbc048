"""Half-open spans of time, and the calendar months they are cut from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """All instants t with `start` <= t < `end`; both aware, kept in UTC, and never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a period needs aware instants")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"a period must end after it starts: {self.start} .. {self.end}")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def intersection(self, start: datetime | None, end: datetime | None) -> Period | None:
        """What of this period lies within `start` .. `end` (either may be open), or None."""
        first = self.start if start is None else max(self.start, start)
        last = self.end if end is None else min(self.end, end)
        return Period(first, last) if first < last else None

    def days(self, zone: ZoneInfo) -> int:
        """How many calendar days of `zone` this period touches. A day with 23 or 25 hours is one day."""
        first = self.start.astimezone(zone).date()
        last = (self.end - timedelta(microseconds=1)).astimezone(zone).date()
        return (last - first).days + 1


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, such as 2026-10, in no zone in particular."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """`YYYY-MM`; `ValueError` otherwise."""
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text) or not 1970 <= int(text[:4]) <= 2999:
            raise ValueError(f"{text!r} is not a month like 2026-10")
        return cls(int(text[:4]), int(text[5:]))

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> Month:
        """The month that `instant` falls in, seen from `zone`."""
        local = instant.astimezone(zone)
        return cls(local.year, local.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    def next(self) -> Month:
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def previous(self) -> Month:
        return Month(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def period(self, zone: ZoneInfo) -> Period:
        """From the month's first midnight in `zone` to the next month's."""
        return Period(midnight(self.first_day, zone), midnight(self.next().first_day, zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which `day` begins in `zone`, in UTC.

    Where clocks skip midnight, PEP 495 puts the missing 00:00 at the instant of the change.
    """
    return datetime.combine(day, time.min, zone).astimezone(UTC)
