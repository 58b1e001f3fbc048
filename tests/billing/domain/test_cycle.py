"""Billing periods against dates read off a calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.cycle import Cycle


@pytest.mark.parametrize(
    ("cycle", "day", "first", "after"),
    [
        (Cycle("month"), "2024-02-29", "2024-02-01", "2024-03-01"),
        (Cycle("month"), "2026-12-31", "2026-12-01", "2027-01-01"),
        (Cycle("quarter"), "2024-05-20", "2024-04-01", "2024-07-01"),
        (Cycle("year"), "2026-11-23", "2026-01-01", "2027-01-01"),
        (Cycle("day"), "2026-11-23", "2026-11-23", "2026-11-24"),
        (Cycle("week"), "2026-11-22", "2026-11-16", "2026-11-23"),  # a Sunday
        (Cycle("week"), "2026-11-23", "2026-11-23", "2026-11-30"),  # a Monday
        (Cycle("month", 2), "2026-02-10", "2026-01-01", "2026-03-01"),
        (Cycle("month", 6), "2026-07-01", "2026-07-01", "2027-01-01"),
        (Cycle("month", anchor_on=date(2024, 1, 31)), "2024-02-28", "2024-01-31", "2024-02-29"),
        (Cycle("month", anchor_on=date(2024, 1, 31)), "2024-02-29", "2024-02-29", "2024-03-31"),
        (Cycle("month", anchor_on=date(2024, 1, 31)), "2024-04-30", "2024-04-30", "2024-05-31"),
        (Cycle("month", anchor_on=date(2023, 1, 30)), "2023-02-28", "2023-02-28", "2023-03-30"),
        (Cycle("month", anchor_on=date(2026, 10, 15)), "2026-11-14", "2026-10-15", "2026-11-15"),
        (Cycle("year", anchor_on=date(2024, 2, 29)), "2025-02-28", "2025-02-28", "2026-02-28"),
        (Cycle("year", anchor_on=date(2024, 2, 29)), "2028-02-29", "2028-02-29", "2029-02-28"),
        (Cycle("quarter", anchor_on=date(2026, 11, 30)), "2027-02-28", "2027-02-28", "2027-05-30"),
        (Cycle("week", anchor_on=date(2026, 11, 19)), "2026-11-25", "2026-11-19", "2026-11-26"),
        (Cycle("day", 10, anchor_on=date(2026, 11, 1)), "2026-11-20", "2026-11-11", "2026-11-21"),
    ],
)
def test_a_day_lies_in_its_period(cycle: Cycle, day: str, first: str, after: str) -> None:
    assert cycle.period_of(date.fromisoformat(day)) == (date.fromisoformat(first), date.fromisoformat(after))


cycles = st.builds(
    Cycle,
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.integers(1, 5),
    st.none() | st.dates(date(2000, 1, 1), date(2040, 1, 1)),
)


@given(cycles, st.dates(date(2000, 1, 1), date(2060, 1, 1)))
def test_periods_follow_each_other_without_a_gap(cycle: Cycle, day: date) -> None:
    first, after = cycle.period_of(day)
    assert first <= day < after
    assert cycle.period_of(first) == cycle.period_of(after - timedelta(days=1)) == (first, after)
    assert cycle.period_of(after)[0] == after
    assert cycle.period_of(first - timedelta(days=1))[1] == first
