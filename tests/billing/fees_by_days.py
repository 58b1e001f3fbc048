"""What fees should be, worked out day by day: a day costs its plan's fee over the days of the period that it lies in.

Written for tests alone, from the rules in docs/billing.md. It shares no code with billing, and knows no invoices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.models import Subscription

_DAY = timedelta(days=1)
_A_MONDAY = date(1970, 1, 5)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_WEEK = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Day:
    """A day that is charged: under which plan (its key), for how many seats, in a period of how many days."""

    day: date
    plan: str
    seats: int
    period_days: int


def fees_by_days(days: Sequence[Day], amounts: Mapping[str, int], *, by_seats: bool) -> Fraction:
    """The sum of a fee (`amounts` by the plan's key) over days."""
    return sum(
        (Fraction(amounts[one.plan] * (one.seats if by_seats else 1), one.period_days) for one in days), Fraction(0)
    )


def charged_days(subscription: Subscription) -> Iterator[Day]:
    """The days of a subscription that has ended on which it is charged, by its dates."""
    zone = ZoneInfo(subscription.customer.timezone)
    first = subscription.starts_at.astimezone(zone).date() + subscription.trial_days * _DAY
    if subscription.trial_ended_at is not None:
        first = subscription.trial_ended_at.astimezone(zone).date()
    plans = [(one.starts_at.astimezone(zone).date(), one.plan_version) for one in subscription.plan_changes.all()]
    seats = [(one.starts_at.astimezone(zone).date(), one.seats) for one in subscription.seat_changes.all()]
    pauses = [
        (one.starts_at.astimezone(zone).date(), one.ends_at.astimezone(zone).date() if one.ends_at else date.max)
        for one in subscription.pauses.all()
    ]
    assert subscription.ends_at is not None, "a story ends"
    last = subscription.ends_at.astimezone(zone).date()
    at_midnight = subscription.ends_at == datetime.combine(last, time(), zone)
    if at_midnight and last == first and subscription.trial_days:
        return  # it ends with its trial
    began, rhythm, day = first, None, first
    while day <= last:
        version = [subscription.plan_version, *(one for since, one in plans if since <= day)][-1]
        today = [one for since, one in plans if since == day]
        # An interval that is left begins again, though it is taken up on the same day.
        if any(rhythm != (one.interval, one.interval_count) for one in [*today, version]):
            began, rhythm, before = day, (version.interval, version.interval_count), (began, rhythm)
        else:
            before = (began, rhythm)
        start, end = _period(day, *rhythm, began if subscription.anchor == "anniversary" else None)
        if day == last and at_midnight and (day == start or _begins(day, before, subscription.anchor)):
            return
        if day != subscription.continued_on and not any(pause < day < resumed for pause, resumed in pauses):
            number = [subscription.seats, *(one for since, one in seats if since <= day)][-1]
            yield Day(day, version.plan.key, number, (end - start).days)
        day += _DAY


def _begins(day: date, before: tuple[date, tuple[str, int] | None], anchor: str) -> bool:
    """Whether a period of the interval that was in force the day before begins on `day`."""
    began, rhythm = before
    return rhythm is not None and _period(day, *rhythm, began if anchor == "anniversary" else None)[0] == day


def _period(day: date, interval: str, count: int, anchor: date | None) -> tuple[date, date]:
    """The first day of the period that `day` lies in, and the day after its last."""
    number = 0
    if interval in _WEEK:
        length = _WEEK[interval] * count
        since = anchor or _A_MONDAY
        start = since + (day - since).days // length * length * _DAY
        return start, start + length * _DAY
    months = _MONTHS[interval] * count
    if anchor is None:
        number = (day.year * 12 + day.month - 1) // months * months
        return _first(number), _first(number + months)
    while _same_day(anchor, (number + 1) * months) <= day:
        number += 1
    return _same_day(anchor, number * months), _same_day(anchor, (number + 1) * months)


def _first(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)


def _same_day(anchor: date, months: int) -> date:
    """The anchor's day so many months later, or the last day of that month."""
    first = _first(anchor.year * 12 + anchor.month - 1 + months)
    after = _first(first.year * 12 + first.month)
    return min(first + (anchor.day - 1) * _DAY, after - _DAY)
