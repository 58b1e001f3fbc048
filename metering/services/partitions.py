"""The log's partitions: one for each month that is near, made when its first event comes or shortly before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection, transaction
from psycopg import sql

from kernel.period import Month
from rest.statements import run

#: Months before and after the present one that get a partition of their own. What lies further off, where a
#: client can make up any month from 1970 to 2999, stays together in the default partition.
MONTHS_BEFORE, MONTHS_AFTER = 36, 2

# The months of a database that this process need not ask about again: they have a partition, or have to do without one.
_known: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)


def make_partitions(times: Sequence[datetime], *, now: datetime) -> None:
    """Make the partitions that events at `times` are to go to, each in a transaction of its own.

    Nothing depends on it: without its partition, a month's events are kept in the default one, and found as well.
    So it is left undone within a transaction, which would hold others up until its end.
    """
    if not times or connection.in_atomic_block:
        return
    first, last = min(times).astimezone(UTC), max(times).astimezone(UTC)
    months = {(first.year, first.month), (last.year, last.month)}
    known = _known[connection.settings_dict["NAME"]]
    if months <= known:
        if len(months) == 1:
            return
        months = {(time.year, time.month) for time in (instant.astimezone(UTC) for instant in times)}
    for year, month in sorted(months - known):
        if _is_near(year, month, now):
            make_partition(Month(year, month))
        known.add((year, month))


def make_coming_partitions(*, now: datetime) -> None:
    """Make the partitions of this month and those that come next, so that no event has to wait for one."""
    month = Month.of(now, ZoneInfo("UTC"))
    for _ in range(1 + MONTHS_AFTER):
        make_partition(month)
        month = month.next()


def _is_near(year: int, month: int, now: datetime) -> bool:
    distance = 12 * (year - now.year) + month - now.month
    return -MONTHS_BEFORE <= distance <= MONTHS_AFTER


def make_partition(month: Month) -> None:
    """Make the month's partition, unless it is there, or some of its events are in the default partition."""
    run("SELECT metering_make_partition(%s)", [month.first_day])


# A session that took its snapshot before the events moved may be about to read them here. `xmin` is the transaction
# in which they did.
_EMPTY_FOR_ALL = """
SELECT NOT EXISTS (SELECT FROM {partition}) AND NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
    AND age(backend_xmin) >= (SELECT MIN(age(xmin)) FROM metering_logarchive WHERE month = {month}))
"""


def drop_partition_if_empty(month: Month) -> bool:
    """Give the disk space of a partition back whose events have moved to an archive; whether it was done.

    Left undone while a transaction is open that may still see them, or while the log is too busy: until the next time.
    """
    name = f"metering_usageevent_{month.year:04d}_{month.month:02d}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is None:
            return False
        asked = sql.SQL(_EMPTY_FOR_ALL).format(partition=sql.Identifier(name), month=sql.Literal(month.first_day))
        statement = asked.as_string(cursor.connection)
        cursor.execute(statement)
        if not cursor.fetchone()[0]:
            return False
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")  # all wait that long for whoever reads the log now
            cursor.execute("LOCK TABLE metering_usageevent IN ACCESS EXCLUSIVE MODE")
            cursor.execute(statement)
            if not cursor.fetchone()[0]:
                return False
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)).as_string(cursor.connection))
    except OperationalError:
        return False
    _known[connection.settings_dict["NAME"]].discard((month.year, month.month))
    return True
