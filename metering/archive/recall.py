"""Asking the log as if no event had ever left it.

A statement says by itself, of the very snapshot it saw, which archives hold events of the organization and period
that it asked for. Mostly nothing is needed of them. Otherwise the needed events are loaded into a temporary table,
and the same statement reads the log and that table together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from kernel.period import Period
from metering.archive.selection import COLUMNS, Selection
from metering.compiler import Fragment
from metering.contracts import ArchiveUnavailable
from metering.models import LogArchive

LOG: Fragment = sql.SQL("metering_usageevent")
RECALLED = sql.SQL("pg_temp.metering_recalledevent")
_TOGETHER: Fragment = sql.SQL("(SELECT {0} FROM {1} UNION ALL SELECT {0} FROM {2})").format(
    sql.SQL(COLUMNS), LOG, RECALLED
)

# The log and the archives change hands in one transaction, so that one snapshot sees an event in one of them.
_GUARDED = """
WITH archives AS MATERIALIZED (SELECT jsonb_build_object(
    'parts', COALESCE((
        SELECT jsonb_agg(jsonb_build_array(a.archive_id, archive.row_groups, a.first_xid::text, a.last_xid::text)
                         ORDER BY a.archive_id)
        FROM metering_archivedorganization a JOIN metering_logarchive archive ON archive.id = a.archive_id
        WHERE a.organization_id = {organization} AND {overlaps}), '[]'),
    'version', (SELECT jsonb_build_array(projected_to::text, archived) FROM metering_meterversion WHERE id = {version})
)::text AS found)
SELECT archives.found, answer.* FROM archives LEFT JOIN LATERAL ({statement}) answer ON TRUE
"""

_ATTEMPTS = 10

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """What an archive has of the organization that is asked about: from which transaction to which, and in how
    many row groups, which are those of all organizations."""

    archive_id: int
    row_groups: int
    first_xid: int
    last_xid: int


@dataclass(frozen=True, slots=True)
class Archives:
    """The archives that a statement's snapshot saw, and how far the asked meter version had come in it:
    below which transaction, and how many row groups of which archive are in its buckets."""

    parts: tuple[Part, ...] = ()
    projected_to: int = 0
    taken: dict[str, int] = field(default_factory=dict)

    def is_ahead(self, part: Part) -> bool:
        """Whether the part has events that are not in the version's buckets."""
        return part.last_xid >= self.projected_to and self.taken.get(str(part.archive_id), 0) < part.row_groups


@dataclass(frozen=True, slots=True)
class Load:
    """What is needed of an archive. Row groups before `taken` are loaded as of transaction 0: the buckets have them."""

    archive_id: int
    selection: Selection
    taken: int = 0


#: What a question needs of the archives, given those there are and the rows that the log alone has for it;
#: nothing, if the archives have no say in its answer.
Plan = Callable[[Archives, Rows], list[Load]]


def ask(
    statement: Callable[[Fragment], sql.Composable],
    *,
    organization_id: int,
    period: Period | None,
    plan: Plan,
    version_id: int | None = None,
) -> Rows:
    """The rows of a statement over the log, of which `statement` is given the name, as if it had all events.

    `period` is the one asked about, None for all times; a row's first column is never NULL.
    Raises `ArchiveUnavailable`.
    """

    def run(log: Fragment) -> tuple[Archives, Rows]:
        return _run(
            sql.SQL(_GUARDED).format(
                organization=organization_id,
                overlaps=_overlaps(period),
                version=sql.Literal(version_id),
                statement=statement(log),
            )
        )

    for _ in range(_ATTEMPTS):
        archives, rows = run(LOG)
        loads = plan(archives, rows) if archives.parts else []
        if not loads:
            return rows
        with transaction.atomic():
            load(loads)
            seen, together = run(_TOGETHER)
        if plan(seen, rows) == loads:
            return together
    raise ArchiveUnavailable("Months are just moving between the log and its archives. Ask again")


def everything(selection: Selection) -> Plan:
    """The plan of a question that nothing was added up for beforehand: all events of the selection."""

    def plan(archives: Archives, _: Rows) -> list[Load]:
        return [
            Load(part.archive_id, selection)
            for part in archives.parts
            if (part.last_xid >= selection.first_xid and part.first_xid <= selection.last_xid)
            or any(part.first_xid <= xid <= part.last_xid for xid in selection.transactions)
        ]

    return plan


def if_missing(selection: Selection) -> Plan:
    """The plan of a question for a single event: the archives are looked into if the log does not have it."""
    whole = everything(selection)
    return lambda archives, rows: [] if rows else whole(archives, rows)


def load(loads: Sequence[Load]) -> None:
    """Fill the temporary table, which is gone at the end of the transaction."""
    files = {one.pk: one for one in LogArchive.objects.filter(pk__in=[one.archive_id for one in loads])}
    with recalled_events() as write:
        for one in loads:
            # A file that is attached again meanwhile is none; the statement that comes now sees that too.
            if archive := files.get(one.archive_id):
                for number, table in archived_events(archive, one.selection):
                    write(table, is_taken=number < one.taken)


def archived_events(archive: LogArchive, selection: Selection, *, first_group: int = 0) -> Iterator[tuple[int, Any]]:
    """The selected events of an archive, an Arrow table of one row group after the other, with its number."""
    from metering.archive import files  # noqa: PLC0415 - Arrow takes 60 MiB, and most processes never need it

    return files.read(archive.file, archive.sha256, selection, first_group=first_group)


@contextmanager
def recalled_events() -> Iterator[Callable[..., None]]:
    """The temporary table, empty, and what writes an Arrow table of events to it."""
    from metering.archive import files  # noqa: PLC0415 - as above

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS metering_recalledevent (LIKE metering_usageevent) ON COMMIT DROP"
        )
        cursor.execute("TRUNCATE pg_temp.metering_recalledevent")
        with cursor.copy(f"COPY pg_temp.metering_recalledevent ({COLUMNS}) FROM STDIN (FORMAT CSV)") as copy:

            def write(table: Any, *, is_taken: bool = False) -> None:
                copy.write(files.as_csv(files.of_transaction_zero(table) if is_taken else table))

            yield write
        cursor.execute("ANALYZE pg_temp.metering_recalledevent")


def _run(statement: sql.Composed) -> tuple[Archives, Rows]:
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        found = cursor.fetchall()
    told = json.loads(found[0][0])
    parts = tuple(Part(archive_id, groups, int(first), int(last)) for archive_id, groups, first, last in told["parts"])
    projected_to, taken = told["version"] or ("0", {})
    return Archives(parts, int(projected_to), taken), [row[1:] for row in found if row[1] is not None]


def _overlaps(period: Period | None) -> Fragment:
    if period is None:
        return sql.SQL("TRUE")
    return sql.SQL("a.last_time >= {}::timestamptz AND a.first_time < {}::timestamptz").format(
        sql.Literal(period.start), sql.Literal(period.end)
    )
