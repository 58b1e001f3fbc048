"""What part of a billing period something was in force, by whole days in the customer's time zone.

- The day something starts counts, whatever the time of day.
- The day a subscription ends counts. An end at the very instant a period starts is the end of the period
  before, so that cancelling at the end of a period does not buy a day of the next.
- On a change (of plan, of seats) the day belongs to what is new.
- A day is a calendar day of the zone, whether it has 23, 24 or 25 hours.

A fraction's denominator is the days of the whole billing period. The parts of a period always sum to
what the period as a whole comes to, since they are exact fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from kernel.period import Period

_ONE_DAY = timedelta(days=1)


def period_fraction(
    period: Period, zone: ZoneInfo, *, starts_at: datetime | None = None, ends_at: datetime | None = None
) -> Fraction:
    """The part of `period` (a whole billing period) between a start and an end; either may be open. 0 to 1."""
    return sum(segments(period, zone, starts_at=starts_at, ends_at=ends_at), Fraction(0))


def segments(
    period: Period,
    zone: ZoneInfo,
    *,
    changes_at: Sequence[datetime] = (),
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> tuple[Fraction, ...]:
    """`period_fraction` cut at each of `changes_at` (in order): one part more than there are changes.

    A change outside the time in force leaves an empty part, and so does a change on the day of another:
    the day belongs to the last. Raises `ValueError` for changes out of order.
    """
    if any(later < earlier for earlier, later in pairwise(changes_at)):
        raise ValueError("changes must be in order of time")
    whole = _first_day(period.start, zone), _day_after(period, zone)
    first, last = _days_in_force(period, zone, starts_at, ends_at)
    cuts = [first, *(min(max(_first_day(change, zone), first), last) for change in changes_at), last]
    days = (whole[1] - whole[0]).days
    return tuple(Fraction((after - before).days, days) for before, after in pairwise(cuts))


def _days_in_force(
    period: Period, zone: ZoneInfo, starts_at: datetime | None, ends_at: datetime | None
) -> tuple[date, date]:
    """The first day in force and the day after the last one; twice the same day for none."""
    first, last = _first_day(period.start, zone), _day_after(period, zone)
    if ends_at is not None and starts_at is not None and ends_at < starts_at:
        raise ValueError(f"it ends ({ends_at}) before it starts ({starts_at})")
    if (ends_at is not None and ends_at <= period.start) or (starts_at is not None and starts_at >= period.end):
        return first, first
    if starts_at is not None:
        first = max(first, _first_day(starts_at, zone))
    if ends_at is not None:
        last = min(last, _first_day(ends_at, zone) + _ONE_DAY)
    return first, last


def _first_day(instant: datetime, zone: ZoneInfo) -> date:
    if instant.tzinfo is None:
        raise ValueError("a time without a zone says nothing about its day")
    return instant.astimezone(zone).date()


def _day_after(period: Period, zone: ZoneInfo) -> date:
    """The day after the period's last one. A period is half-open, so its last instant is just before its end."""
    return _first_day(period.end - timedelta(microseconds=1), zone) + _ONE_DAY
