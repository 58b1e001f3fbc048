"""Revenue that is billed and not yet earned: which days earn it, and what is left of it on a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.rating.pricing.exact import ZERO, share, subtract, total
from kernel.money import round_to_currency


@dataclass(frozen=True, slots=True)
class Deferral:
    """`amount` of a line, earned evenly by the days from `starts_on` up to `ends_on`, which is not one of them."""

    line: str
    amount: Decimal
    starts_on: date
    ends_on: date


def service_days(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first day of `zone` that a period touches, and the day after the last."""
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return start.astimezone(zone).date(), last + timedelta(days=1)


def earned_by(deferral: Deferral, *, currency: str, until: date) -> Decimal:
    """How much is earned by the days before `until`: cumulative and rounded once to the currency, so that what the
    steps between any days earn sums to the whole."""
    if until <= deferral.starts_on:
        return ZERO
    if until >= deferral.ends_on:
        return deferral.amount
    days = Fraction((until - deferral.starts_on).days, (deferral.ends_on - deferral.starts_on).days)
    return round_to_currency(share(deferral.amount, days), currency)


def taken_back(
    line: str, amount: Decimal, deferrals: Iterable[Deferral], *, currency: str, on: date
) -> Deferral | None:
    """What part of `amount`, taken back of a line on a day, was not earned yet, as a negative deferral over the days
    that are left; None where all of it was.

    `deferrals` are those of the line so far. What is not earned is taken back first, so the days before stay as
    they were earned and the days after earn evenly less.
    """
    found = list(deferrals)
    left = total(subtract(one.amount, earned_by(one, currency=currency, until=on)) for one in found)
    unearned = min(amount, left) if amount > 0 else max(amount, left)
    if unearned == 0 or (unearned > 0) != (amount > 0):
        return None
    starts_on = max(on, min(one.starts_on for one in found))
    return Deferral(line, -unearned, starts_on, max(one.ends_on for one in found))
