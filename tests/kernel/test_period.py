"""Half-open periods, months and the midnights that they are cut at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kernel.period import Month, Period, midnight

NEW_YORK = ZoneInfo("America/New_York")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")
UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period(start: str, end: str) -> Period:
    return Period(at(start), at(end))


def test_a_period_has_its_start_and_not_its_end() -> None:
    october = period("2026-10-01", "2026-11-01")
    assert at("2026-10-01") in october
    assert at("2026-10-31T23:59:59.999999") in october
    assert at("2026-11-01") not in october


def test_a_period_is_kept_in_utc() -> None:
    local = Period(datetime(2026, 10, 1, tzinfo=NEW_YORK), datetime(2026, 11, 1, tzinfo=NEW_YORK))
    assert local == period("2026-10-01T04:00", "2026-11-01T04:00")
    assert local.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (at("2026-10-01"), at("2026-10-01")),
        (at("2026-10-02"), at("2026-10-01")),
        (at("2026-10-01").replace(tzinfo=None), at("2026-10-02")),
        (at("2026-10-01"), at("2026-10-02").replace(tzinfo=None)),
    ],
)
def test_an_empty_or_naive_period_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="period"):
        Period(start, end)


def test_an_intersection_is_what_both_have() -> None:
    october = period("2026-10-01", "2026-11-01")
    assert october.intersection(None, None) == october
    assert october.intersection(at("2026-10-20"), None) == period("2026-10-20", "2026-11-01")
    assert october.intersection(at("2026-09-20"), at("2026-10-05")) == period("2026-10-01", "2026-10-05")
    assert october.intersection(None, at("2026-10-01")) is None
    assert october.intersection(at("2026-11-01"), None) is None


@pytest.mark.parametrize(
    ("zone", "month", "days"),
    [
        (UTC_ZONE, "2024-02", 29),
        (UTC_ZONE, "2100-02", 28),
        (NEW_YORK, "2024-03", 31),  # a day of 23 hours
        (NEW_YORK, "2024-11", 30),  # a day of 25 hours
        (KIRITIMATI, "2024-01", 31),
    ],
)
def test_a_month_has_its_days_in_every_zone(zone: ZoneInfo, month: str, days: int) -> None:
    assert Month.parse(month).period(zone).days(zone) == days


def test_a_period_counts_every_day_it_touches() -> None:
    assert period("2026-10-01T23:59", "2026-10-02T00:01").days(UTC_ZONE) == 2
    assert period("2026-10-01T00:00", "2026-10-02T00:00").days(UTC_ZONE) == 1


def test_a_month_begins_and_ends_at_midnight_of_its_zone() -> None:
    assert Month(2024, 3).period(NEW_YORK) == period("2024-03-01T05:00", "2024-04-01T04:00")
    assert Month(2024, 3).period(KIRITIMATI) == period("2024-02-29T10:00", "2024-03-31T10:00")


def test_months_follow_each_other_across_years() -> None:
    assert Month(2026, 12).next() == Month(2027, 1)
    assert Month(2027, 1).previous() == Month(2026, 12)
    assert Month(2026, 10).next().previous() == Month(2026, 10)
    assert str(Month(2026, 1)) == "2026-01"
    assert Month(2026, 9) < Month(2026, 10)


def test_the_month_of_an_instant_depends_on_the_zone() -> None:
    new_year = at("2027-01-01T03:00")
    assert Month.of(new_year, NEW_YORK) == Month(2026, 12)
    assert Month.of(new_year, KIRITIMATI) == Month(2027, 1)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "0000-01", "", "2026-1\u0660"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="month"):
        Month.parse(text)


def test_midnight_where_clocks_skip_it_is_the_instant_of_the_change() -> None:
    # Havana went from 00:00 to 01:00 on 10 March 2024
    day = midnight(date(2024, 3, 10), ZoneInfo("America/Havana"))
    assert day == at("2024-03-10T05:00")
    assert day - midnight(date(2024, 3, 9), ZoneInfo("America/Havana")) == timedelta(hours=24)
    assert midnight(date(2024, 3, 11), ZoneInfo("America/Havana")) - day == timedelta(hours=23)
