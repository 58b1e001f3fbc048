"""The log's partitions: one for each month that is near, made when its first event comes or shortly before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from django.db import connection

from kernel.period import Month
from rest.statements import run

#: Months before and after the present one that get a partition of their own. What lies further off, where a
#: client can make up any month from 1970 to 2999, stays together in the default partition.
MONTHS_BEFORE, MONTHS_AFTER = 36, 2

# The months this process need not ask about again: they have a partition, or have to do without one.
_known: set[tuple[int, int]] = set()


def make_partitions(times: Sequence[datetime], *, now: datetime) -> None:
    """Make the partitions that events at `times` are to go to, each in a transaction of its own.

    Nothing depends on it: without its partition, a month's events are kept in the default one, and found as well.
    So it is left undone within a transaction, which would hold others up until its end.
    """
    if not times or connection.in_atomic_block:
        return
    first, last = min(times).astimezone(UTC), max(times).astimezone(UTC)
    months = {(first.year, first.month), (last.year, last.month)}
    if months <= _known:
        if len(months) == 1:
            return
        months = {(time.year, time.month) for time in (instant.astimezone(UTC) for instant in times)}
    for year, month in sorted(months - _known):
        if _is_near(year, month, now):
            _make(Month(year, month))
        _known.add((year, month))


def make_coming_partitions(*, now: datetime) -> None:
    """Make the partitions of this month and those that come next, so that no event has to wait for one."""
    month = Month.of(now, UTC)
    for _ in range(1 + MONTHS_AFTER):
        _make(month)
        month = month.next()


def _is_near(year: int, month: int, now: datetime) -> bool:
    distance = 12 * (year - now.year) + month - now.month
    return -MONTHS_BEFORE <= distance <= MONTHS_AFTER


def _make(month: Month) -> None:
    run("SELECT metering_make_partition(%s)", [date(month.year, month.month, 1)])
