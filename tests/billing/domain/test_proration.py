"""Parts of a billing period by days, counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from billing.rating.proration import period_fraction, segments
from kernel.period import Month, Period, midnight

LONDON = ZoneInfo("Europe/London")
UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def month(text: str, zone: ZoneInfo = UTC_ZONE) -> Period:
    return Month.parse(text).period(zone)


def days(first: date, after: date, zone: ZoneInfo = UTC_ZONE) -> Period:
    return Period(midnight(first, zone), midnight(after, zone))


QUARTER = days(date(2024, 4, 1), date(2024, 7, 1))  # 30 + 31 + 30 = 91 days


@pytest.mark.parametrize(
    ("period", "starts_at", "ends_at", "fraction"),
    [
        # 20 to 31 May and 1 to 20 June: 12 + 20
        (QUARTER, "2024-05-20", "2024-06-20", Fraction(32, 91)),
        (QUARTER, "2024-05-20T23:59:59", "2024-06-20T00:00:01", Fraction(32, 91)),
        (QUARTER, None, None, Fraction(1)),
        # 28 and 29 February of a leap year
        (month("2024-02"), "2024-02-28T17:30", None, Fraction(2, 29)),
        (month("2023-02"), "2023-02-28", None, Fraction(1, 28)),
        (month("2024-02"), "2024-02-01", None, Fraction(1)),
        (month("2024-02"), "2023-06-01", "2025-01-01", Fraction(1)),
        (month("2024-02"), "2024-02-29T23:59:59.999999", None, Fraction(1, 29)),
        (month("2024-02"), None, "2024-02-01T00:00:00.000001", Fraction(1, 29)),
        # one day, begun and ended
        (month("2024-01"), "2024-01-10T09:00", "2024-01-10T10:00", Fraction(1, 31)),
        # before and after: nothing
        (month("2024-02"), "2024-03-01", None, Fraction(0)),
        (month("2024-02"), None, "2024-01-31T23:59", Fraction(0)),
        # an end at the instant of a period's start is the end of the period before
        (month("2024-02"), None, "2024-02-01", Fraction(0)),
        (month("2024-01"), None, "2024-02-01", Fraction(1)),
        # within a period the day it ends counts, also when it ends as the day begins
        (month("2024-01"), None, "2024-01-31", Fraction(1)),
        (month("2024-01"), None, "2024-01-02", Fraction(2, 31)),
        # a week and a day as periods
        (days(date(2024, 1, 1), date(2024, 1, 8)), "2024-01-06", None, Fraction(2, 7)),
        (days(date(2024, 1, 1), date(2024, 1, 2)), "2024-01-01T12:00", None, Fraction(1)),
        (days(date(2024, 1, 1), date(2025, 1, 1)), "2024-12-31", None, Fraction(1, 366)),
    ],
)
def test_a_part_of_a_period(period: Period, starts_at: str | None, ends_at: str | None, fraction: Fraction) -> None:
    found = period_fraction(
        period, UTC_ZONE, starts_at=at(starts_at) if starts_at else None, ends_at=at(ends_at) if ends_at else None
    )
    assert found == fraction


@pytest.mark.parametrize(
    ("zone", "starts_at", "fraction"),
    [
        # 31 March 2024 has 23 hours in London and is one day; 23:30 UTC on the 30th is still the 30th there
        ("Europe/London", "2024-03-30T23:30", Fraction(2, 31)),
        # 22:30 UTC on the 31st is 23:30 of the 31st in London, 00:30 of 1 April in Helsinki
        ("Europe/London", "2024-03-31T22:30", Fraction(1, 31)),
        ("Europe/Helsinki", "2024-03-31T22:30", Fraction(0)),
        # UTC+14: 10:00 UTC on the 30th is the 31st
        ("Pacific/Kiritimati", "2024-03-30T09:59", Fraction(2, 31)),
        ("Pacific/Kiritimati", "2024-03-30T10:00", Fraction(1, 31)),
        # UTC-11: 10:59 UTC on the 31st is still the 30th
        ("Pacific/Pago_Pago", "2024-03-31T10:59", Fraction(2, 31)),
        ("Pacific/Pago_Pago", "2024-03-31T11:00", Fraction(1, 31)),
    ],
)
def test_days_are_those_of_the_customers_zone(zone: str, starts_at: str, fraction: Fraction) -> None:
    period = month("2024-03", ZoneInfo(zone))
    assert period_fraction(period, ZoneInfo(zone), starts_at=at(starts_at)) == fraction


def test_a_month_in_which_clocks_change_is_whole() -> None:
    for text in ("2024-03", "2024-10"):
        assert period_fraction(month(text, LONDON), LONDON) == 1


def test_the_day_of_a_change_belongs_to_what_is_new() -> None:
    april = month("2024-04")
    assert segments(april, UTC_ZONE, changes_at=[at("2024-04-11T15:00")]) == (Fraction(10, 30), Fraction(20, 30))
    # the day before the next period: one day of the new plan
    assert segments(april, UTC_ZONE, changes_at=[at("2024-04-30T23:00")]) == (Fraction(29, 30), Fraction(1, 30))


def test_changes_on_one_day_leave_it_to_the_last() -> None:
    changes = [at("2024-04-11T08:00"), at("2024-04-11T09:00"), at("2024-04-21T09:00")]
    assert segments(month("2024-04"), UTC_ZONE, changes_at=changes) == (
        Fraction(10, 30),
        Fraction(0),
        Fraction(10, 30),
        Fraction(10, 30),
    )


def test_changes_are_cut_to_the_time_in_force() -> None:
    changes = [at("2024-03-05T00:00"), at("2024-04-11T00:00"), at("2024-06-01T00:00")]
    parts = segments(
        month("2024-04"), UTC_ZONE, changes_at=changes, starts_at=at("2024-04-06"), ends_at=at("2024-04-15")
    )
    assert parts == (Fraction(0), Fraction(5, 30), Fraction(5, 30), Fraction(0))


def test_times_out_of_order_or_without_a_zone_are_refused() -> None:
    april = month("2024-04")
    with pytest.raises(ValueError, match="order"):
        segments(april, UTC_ZONE, changes_at=[at("2024-04-11"), at("2024-04-10")])
    with pytest.raises(ValueError, match="before it starts"):
        period_fraction(april, UTC_ZONE, starts_at=at("2024-04-11"), ends_at=at("2024-04-10"))
    with pytest.raises(ValueError, match="zone"):
        segments(april, UTC_ZONE, changes_at=[at("2024-04-11").replace(tzinfo=None)])


def test_a_period_that_does_not_begin_at_midnight_counts_the_days_it_touches() -> None:
    period = Period(at("2024-04-01T12:00"), at("2024-04-01T12:00") + timedelta(days=1))
    assert period_fraction(period, UTC_ZONE, starts_at=at("2024-04-02T00:00")) == Fraction(1, 2)
