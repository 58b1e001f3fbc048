"""Times are read and written as RFC 3339, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kernel.clock import parse_rfc3339, system_clock, to_rfc3339


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert system_clock().tzinfo is UTC


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 10, 3, 9, 12, 44, 120_000, tzinfo=UTC), "2026-10-03T09:12:44.120000Z"),
        (datetime(2026, 10, 3, 9, 12, 44, tzinfo=UTC), "2026-10-03T09:12:44Z"),
        (datetime(2026, 10, 3, 1, 0, tzinfo=timezone(timedelta(hours=2))), "2026-10-02T23:00:00Z"),
    ],
)
def test_an_instant_is_written_in_utc(instant: datetime, text: str) -> None:
    assert to_rfc3339(instant) == text
    assert parse_rfc3339(text) == instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-03T09:12:44.120Z", datetime(2026, 10, 3, 9, 12, 44, 120_000, tzinfo=UTC)),
        ("2026-10-03T09:12:44+02:00", datetime(2026, 10, 3, 7, 12, 44, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_into_utc(text: str, instant: datetime) -> None:
    assert parse_rfc3339(text) == instant
    assert parse_rfc3339(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-10-03", "2026-10-03T09:12:44", "2026-02-30T00:00:00Z"])
def test_what_is_no_time_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


def test_a_naive_time_is_not_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_rfc3339(datetime(2026, 10, 3))  # noqa: DTZ001 - what is tested
