"""Months leave the log for a file and come back. The whole installation's at once: a month is a partition.

An event moves in one transaction, so that whoever looks sees it in the log or in an archive. Killed at any point,
the transaction has not happened, and the next run does it all again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max

from kernel.errors import ConflictError
from kernel.files import private_directory
from kernel.period import Month, Period
from metering.archive.selection import COLUMNS
from metering.domain.meters import PROJECTED
from metering.models import ArchivedOrganization, LogArchive, UsageBucket
from metering.services.locks import lock_log, only_retention
from metering.services.partitions import drop_partition_if_empty, make_coming_partitions, make_partition
from rest.isolation import read_one_snapshot

logger = logging.getLogger("metering")


class MonthOpen(ConflictError):
    code = "month_open"


class MonthNotProjected(ConflictError):
    code = "month_not_projected"


class RetentionBusy(ConflictError):
    code = "retention_busy"


# Times as microseconds since 1970, which is what they are.
_EXPORT = """
COPY (
    SELECT identity, organization_id, source, event_id, type, subject,
           (EXTRACT(EPOCH FROM time) * 1000000)::bigint AS time,
           (EXTRACT(EPOCH FROM received_at) * 1000000)::bigint AS received_at, data, xid, sent_by, subscription
    FROM metering_usageevent WHERE time >= %s AND time < %s
    ORDER BY organization_id, type, subject, time, identity
) TO STDOUT (FORMAT CSV, FORCE_QUOTE (source, event_id, type, subject, data, subscription))
"""

_ORGANIZATIONS = """
SELECT organization_id, COUNT(*), MIN(time), MAX(time), MIN(xid::text::bigint), MAX(xid::text::bigint)
FROM metering_usageevent WHERE time >= %s AND time < %s GROUP BY organization_id ORDER BY organization_id
"""

_BEHIND = """
SELECT m.key FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
WHERE v.definition ->> 'aggregation' = ANY(%s) AND NOT v.unbounded
  AND NOT EXISTS (SELECT FROM metering_meterversion newer WHERE newer.meter_id = m.id AND newer.number > v.number)
  AND m.organization_id = %s AND v.projected_to <= %s::xid8
ORDER BY m.key LIMIT 1
"""

# Versions which have taken in some of an archive before its transactions' turn in the log.
_EARLY = """
SELECT v.id FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
JOIN metering_archivedorganization a ON a.organization_id = m.organization_id
WHERE a.archive_id = %s AND v.archived ? a.archive_id::text AND v.projected_to <= a.last_xid ORDER BY v.id
"""


def detach_month(*, month: Month, now: datetime) -> LogArchive | None:
    """Move the month's events to a file; None where the log has none. Usage answers stay what they are.

    The month is over and its events are in the projections: `MonthOpen`, `MonthNotProjected`. Events that come late
    go to the log, and to a further part of the month the next time. `RetentionBusy` while another process moves a
    month. Not within a transaction.
    """
    period = month.period(ZoneInfo("UTC"))
    if period.end > now:
        raise MonthOpen(f"{month} is not over")
    with _alone():
        with transaction.atomic(durable=True):
            archive = _move_out(month, period, now)
        drop_partition_if_empty(month)
    return archive


def attach_month(*, month: Month) -> int:
    """Bring a month's events back into the log, and remove its files; returns how many events.

    Raises `ArchiveUnavailable`, `RetentionBusy`. Not within a transaction.
    """
    with _alone():
        make_partition(month)
        with transaction.atomic(durable=True):
            archives = list(LogArchive.objects.filter(month=month.first_day).order_by("part"))
            for archive in archives:
                _move_in(archive)
            lock_log()
            for archive in archives:
                _start_anew_if_early(archive)
                archive.delete()
        _remove_files([archive.file for archive in archives])
    return sum(archive.events for archive in archives)


@contextmanager
def _alone() -> Iterator[None]:
    with only_retention() as is_alone:
        if not is_alone:
            raise RetentionBusy("Another process is moving a month between the log and its archives")
        yield


def _move_out(month: Month, period: Period, now: datetime) -> LogArchive | None:
    """The transaction: it sees one snapshot throughout, so what it deletes is what it wrote to the file."""
    read_one_snapshot()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL lock_timeout = 0")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute(_ORGANIZATIONS, [period.start, period.end])
        organizations = cursor.fetchall()
    if not organizations:
        return None
    _check_projected(organizations)
    part = 1 + (LogArchive.objects.filter(month=month.first_day).aggregate(last=Max("part"))["last"] or 0)
    archive = _write_file(month, period, LogArchive(month=month.first_day, part=part, created_at=now))
    lock_log()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM metering_usageevent WHERE time >= %s AND time < %s", [period.start, period.end])
        deleted = cursor.rowcount
    expected = sum(row[1] for row in organizations)
    if not deleted == expected == archive.events:
        raise RuntimeError(f"{month}: {expected} events, {archive.events} in the file, {deleted} deleted")
    archive.save()
    ArchivedOrganization.objects.bulk_create(
        ArchivedOrganization(
            archive=archive,
            organization_id=organization_id,
            events=events,
            first_time=first_time,
            last_time=last_time,
            first_xid=first_xid,
            last_xid=last_xid,
        )
        for organization_id, events, first_time, last_time, first_xid, last_xid in organizations
    )
    return archive


def _check_projected(organizations: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        for organization_id, *_, last_xid in organizations:
            cursor.execute(_BEHIND, [sorted(PROJECTED), organization_id, str(last_xid)])
            behind = cursor.fetchone()
            if behind is not None:
                raise MonthNotProjected(
                    f"The projection of the meter {behind[0]!r} has not come so far. Try again later"
                )


def _write_file(month: Month, period: Period, archive: LogArchive) -> LogArchive:
    """Write the file, read it back, and give it its name, which says what is in it: a run that was killed here
    leaves a file that the next one replaces."""
    from metering.archive import files  # noqa: PLC0415 - Arrow takes 60 MiB, and most processes never need it

    private_directory(files.directory())
    temporary = files.directory() / f".events-{month}.parquet.writing"
    with connection.cursor() as cursor, cursor.copy(_EXPORT, [period.start, period.end]) as copy:
        archive.events, archive.row_groups, written = files.write(temporary, copy)
    temporary.chmod(0o600)
    if files.content_digest(temporary) != (archive.events, written):
        raise RuntimeError(f"{temporary} does not read as it was written")
    archive.sha256, archive.size = files.file_digest(temporary), temporary.stat().st_size
    archive.file = f"events-{month}-{archive.part:02d}-{archive.sha256[:16]}.parquet"
    files.put(temporary, files.directory() / archive.file)
    return archive


def _move_in(archive: LogArchive) -> None:
    from metering.archive import files  # noqa: PLC0415 - as above

    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY metering_usageevent ({COLUMNS}) FROM STDIN (FORMAT CSV)") as copy,
    ):
        for table in files.read_all(archive.file, archive.sha256):
            copy.write(files.as_csv(table))


def _start_anew_if_early(archive: LogArchive) -> None:
    """Projections that took in some of the archive, and whose turn at the log is to come: they count it there."""
    with connection.cursor() as cursor:
        cursor.execute(_EARLY, [archive.pk])
        early = [version for (version,) in cursor.fetchall()]
        UsageBucket.objects.filter(meter_version__in=early).delete()
        cursor.execute(
            "UPDATE metering_meterversion SET projected_to = '0', archived = '{}' WHERE id = ANY(%s)", [early]
        )


def _remove_files(names: list[str]) -> None:
    from metering.archive import files  # noqa: PLC0415 - as above

    for name in names:
        (files.directory() / name).unlink(missing_ok=True)


_OLD_MONTHS = """
SELECT DISTINCT date_trunc('month', time AT TIME ZONE 'UTC')::date FROM metering_usageevent WHERE time < %s ORDER BY 1
"""


def keep_log(*, now: datetime, kept_months: int) -> list[LogArchive]:
    """What the log needs from time to time: partitions for the months to come, and, where `kept_months` is not 0,
    archives of the months before the last so many. What cannot be done now is left to the next time."""
    make_coming_partitions(now=now)
    for day in LogArchive.objects.values_list("month", flat=True).distinct():
        drop_partition_if_empty(Month(day.year, day.month))
    if not kept_months:
        return []
    oldest = Month.of(now, ZoneInfo("UTC"))
    for _ in range(kept_months):
        oldest = oldest.previous()
    with connection.cursor() as cursor:
        cursor.execute(_OLD_MONTHS, [oldest.period(ZoneInfo("UTC")).start])
        months = [Month(day.year, day.month) for (day,) in cursor.fetchall()]
    archives = []
    for month in months:
        try:
            archives.append(detach_month(month=month, now=now))
        except ConflictError as conflict:
            logger.warning("%s stays in the log: %s", month, conflict.detail)
    return [archive for archive in archives if archive is not None]
