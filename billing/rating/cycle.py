"""Where a subscription's billing periods begin and end, in calendar days of the customer's zone."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Interval = Literal["day", "week", "month", "quarter", "year"]

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}

#: Weeks begin on Monday (ISO 8601); this one began the calendar of weeks and days.
_EPOCH_MONDAY = date(1970, 1, 5)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Periods of `count` intervals.

    Without an anchor they follow the calendar: days and weeks are counted from Monday 5 January 1970, months,
    quarters and years from January, so that all customers of a plan share their periods. With an anchor, the
    first period begins on that day, and later ones remember it: one anchored on 31 January begins again on
    the last day of February and on 31 March.
    """

    interval: Interval
    count: int = 1
    anchor_on: date | None = None

    def period_of(self, day: date) -> tuple[date, date]:
        """The first day of the period that `day` lies in, and the day after its last."""
        index = self._index_near(day)
        while self.boundary(index) > day:
            index -= 1
        while self.boundary(index + 1) <= day:
            index += 1
        return self.boundary(index), self.boundary(index + 1)

    def boundary(self, index: int) -> date:
        """The first day of the period number `index`; 0 is the one that begins at the anchor or the epoch."""
        if self.interval in _DAYS:
            days = timedelta(days=_DAYS[self.interval] * self.count * index)
            return (self.anchor_on or _EPOCH_MONDAY) + days
        months = _MONTHS[self.interval] * self.count * index
        if self.anchor_on is None:
            return _month_day(months, 1)
        return _month_day(self.anchor_on.year * 12 + self.anchor_on.month - 1 + months, self.anchor_on.day)

    def _index_near(self, day: date) -> int:
        """The number of the period that `day` lies in, or of a neighbour of it."""
        if self.interval in _DAYS:
            return (day - (self.anchor_on or _EPOCH_MONDAY)).days // (_DAYS[self.interval] * self.count)
        base = self.anchor_on.year * 12 + self.anchor_on.month - 1 if self.anchor_on else 0
        return (day.year * 12 + day.month - 1 - base) // (_MONTHS[self.interval] * self.count)


def _month_day(months: int, day: int) -> date:
    """The `day` of the month that is `months` after January of the year 0, or that month's last day."""
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day, calendar.monthrange(year, month + 1)[1]))
