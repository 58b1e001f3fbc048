from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from kernel.period import Period
from metering.domain.windows import HOUR, QUARTER, Pieces, take_apart

UTC_ZONE, BERLIN, KOLKATA = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}:00+00:00")


def span(start: str, end: str) -> Period:
    return Period(at(start), at(end))


def test_days_of_utc_are_one_piece() -> None:
    month = span("10-01T00:00", "11-01T00:00")
    assert take_apart(month, "day", UTC_ZONE, HOUR) == Pieces(days=(month,))


def test_a_month_of_berlin_is_whole_days_between_a_few_hours() -> None:
    october = span("09-30T22:00", "10-31T23:00")
    assert take_apart(october, "month", BERLIN, HOUR) == Pieces(
        days=(span("10-01T00:00", "10-31T00:00"),),
        grains=(span("09-30T22:00", "10-01T00:00"), span("10-31T00:00", "10-31T23:00")),
    )


def test_days_of_berlin_hold_no_day_of_utc() -> None:
    october = span("09-30T22:00", "10-31T23:00")
    assert take_apart(october, "day", BERLIN, HOUR) == Pieces(grains=(october,))


def test_days_of_kolkata_are_cut_by_quarters_or_leave_the_hours_they_cut() -> None:
    two_days = span("10-01T18:30", "10-03T18:30")
    assert take_apart(two_days, "day", KOLKATA, QUARTER) == Pieces(grains=(two_days,))
    assert take_apart(two_days, "day", KOLKATA, HOUR) == Pieces(
        grains=(span("10-01T19:00", "10-02T18:00"), span("10-02T19:00", "10-03T18:00")),
        rest=(
            span("10-01T18:30", "10-01T19:00"),
            span("10-02T18:00", "10-02T19:00"),
            span("10-03T18:00", "10-03T18:30"),
        ),
    )


def test_a_period_off_the_grain_leaves_its_ends() -> None:
    assert take_apart(span("10-01T22:50", "10-03T01:10"), "total", UTC_ZONE, QUARTER) == Pieces(
        days=(span("10-02T00:00", "10-03T00:00"),),
        grains=(span("10-01T23:00", "10-02T00:00"), span("10-03T00:00", "10-03T01:00")),
        rest=(span("10-01T22:50", "10-01T23:00"), span("10-03T01:00", "10-03T01:10")),
    )


def test_hours_are_never_put_together_of_days() -> None:
    period = span("10-01T00:00", "10-04T00:00")
    assert take_apart(period, "hour", UTC_ZONE, HOUR) == Pieces(grains=(period,))
    assert take_apart(period, "hour", KOLKATA, HOUR) == Pieces(rest=(period,))
    assert take_apart(period, "hour", KOLKATA, QUARTER) == Pieces(grains=(period,))
    assert take_apart(period, "minute", UTC_ZONE, QUARTER) == Pieces(rest=(period,))


def test_a_zone_that_changes_by_half_an_hour_is_noticed_on_the_last_day_too() -> None:
    # Lord Howe is 10:30 ahead of UTC, and 11:00 from 3 October 2026 at 15:30 UTC.
    zone = ZoneInfo("Australia/Lord_Howe")
    assert take_apart(span("10-03T16:00", "10-05T10:00"), "hour", zone, HOUR).rest == ()
    before = span("10-03T10:00", "10-03T17:00")
    assert take_apart(before, "hour", zone, HOUR) == Pieces(rest=(before,))


@pytest.mark.parametrize("name", ["UTC", "Asia/Kathmandu", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"])
@pytest.mark.parametrize("window", ["total", "month", "day", "hour", "minute"])
@pytest.mark.parametrize("grain", [QUARTER, HOUR])
def test_the_pieces_make_up_the_period(name: str, window: str, grain: timedelta) -> None:
    period = Period(datetime(2026, 9, 1, 3, 7, tzinfo=UTC), datetime(2026, 11, 20, 21, 40, tzinfo=UTC))
    pieces = take_apart(period, window, ZoneInfo(name), grain)
    spans = sorted((*pieces.days, *pieces.grains, *pieces.rest))
    assert (spans[0].start, spans[-1].end) == (period.start, period.end)
    assert all(one.end == following.start for one, following in pairwise(spans))
    assert all((one.start - datetime(2026, 1, 1, tzinfo=UTC)) % grain == timedelta() for one in pieces.grains)
