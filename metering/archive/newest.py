"""The newest events, or those of the oldest transactions, without reading all there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from psycopg import sql

from kernel.period import Period
from metering.archive.recall import Archives, Load, Part, Plan, Rows, ask, everything
from metering.archive.selection import Selection
from metering.compiler import Fragment
from metering.models import ArchivedOrganization, LogArchive

#: How many times as many archived events are looked at, where too few of them met all the conditions.
_MORE = 50


def newest(statement: Callable[[Fragment], sql.Composable], *, selection: Selection, wanted: int, time_at: int) -> Rows:
    """The `wanted` rows, or all, of a statement that lists a selection's events newest first.

    `time_at` is the column of the event's time. The selection may be wider than the statement's conditions. Raises
    `ArchiveUnavailable`.
    """
    assert selection.periods is not None
    [period] = selection.periods
    looked_at = wanted
    while True:
        page = _Page(selection, wanted, looked_at, time_at)
        rows = ask(statement, organization_id=selection.organization_id, period=period, plan=page.plan)
        if page.since is None or (len(rows) >= wanted and rows[wanted - 1][time_at] >= page.since):
            return rows
        looked_at *= _MORE


@dataclass
class _Page:
    """The plan of one page: the archived events from `since` on are loaded, or all of them."""

    selection: Selection
    wanted: int
    looked_at: int
    time_at: int
    since: datetime | None = None
    _found: dict[tuple[Part, ...], datetime | None] = field(default_factory=dict)

    def plan(self, archives: Archives, rows: Rows) -> list[Load]:
        """Archives without an event that is as new as the log's own page are of no interest."""
        selection = self.selection
        if len(rows) >= self.wanted:
            selection = _since(selection, rows[self.wanted - 1][self.time_at])
        [period] = selection.periods or ()
        interesting = list(
            ArchivedOrganization.objects.filter(
                archive__in=[part.archive_id for part in archives.parts],
                organization_id=selection.organization_id,
                last_time__gte=period.start,
            ).select_related("archive")
        )
        if not interesting:
            self.since = None
            return []
        if archives.parts not in self._found:
            self._found[archives.parts] = self._since(interesting, selection)
        self.since = self._found[archives.parts]
        if self.since is not None:
            selection = _since(selection, self.since)
        return [Load(one.archive_id, selection) for one in sorted(interesting, key=lambda one: one.archive_id)]

    def _since(self, interesting: list[ArchivedOrganization], selection: Selection) -> datetime | None:
        """The time from which on the archives have `looked_at` selected events; None where they have not so many."""
        from metering.archive import files  # noqa: PLC0415 - Arrow takes 60 MiB, and most processes never need it

        times = files.Foremost("time", self.looked_at, newest=True)
        for one in sorted(interesting, key=lambda one: one.last_time, reverse=True):
            if times.last is None or one.last_time >= times.last:
                times.add(one.archive.file, one.archive.sha256, selection)
        found: datetime | None = times.last
        return found


def _since(selection: Selection, start: datetime) -> Selection:
    [period] = selection.periods or ()
    return replace(selection, periods=(Period(max(period.start, start), period.end),))


def oldest(selection: Selection, count: int) -> Plan:
    """The plan of a statement that reads its selection's events in the order of transactions, `count` of them at most:
    of all archives, the events of the transactions that the first so many belong to. Of the selection's first
    transaction the statement may have no use for any, so those are not counted."""
    found: dict[tuple[Part, ...], int | None] = {}

    def plan(archives: Archives, rows: Rows) -> list[Load]:
        whole = everything(selection)(archives, rows)
        if not whole:
            return []
        if archives.parts not in found:
            later = replace(selection, first_xid=selection.first_xid + 1)
            found[archives.parts] = _last_xid([one.archive_id for one in whole], later, count)
        last = found[archives.parts]
        return whole if last is None else everything(replace(selection, last_xid=last))(archives, rows)

    return plan


def _last_xid(archives: list[int], selection: Selection, count: int) -> int | None:
    from metering.archive import files  # noqa: PLC0415 - as above

    first = files.Foremost("xid", count, newest=False)
    for archive in LogArchive.objects.filter(pk__in=archives).order_by("pk"):
        first.add(archive.file, archive.sha256, selection)
    found: int | None = first.last
    return found
