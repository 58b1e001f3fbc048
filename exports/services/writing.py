"""Writing the files of an export: any kinds, in any format, checked against the ledger as they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from accounts.facade import Organization
from exports.formats import FORMATS, Book
from exports.kinds import KINDS
from exports.tables import Selection, Table
from exports.totals import Totals, totals_rows

OnProgress = Callable[[int], None]


def write_tables(
    *,
    selection: Selection,
    kinds: Sequence[str],
    format: str,
    directory: Path,
    name: str | None = None,
    on_progress: OnProgress | None = None,
) -> list[Totals]:
    """Write the tables of `kinds` to `directory`, in a transaction that the caller began.

    In a transaction of isolation REPEATABLE READ all files belong to one instant. Raises `TotalsDiffer`,
    `TooManyRows`, `ValueDoesNotFit`.
    """
    book = FORMATS[format](
        directory, name=name or "-".join(kinds), of=f"{_file_name(selection.organization)}-{selection.month}"
    )
    try:
        found = _write_each(book, kinds, selection, on_progress)
        book.finish(*totals_rows(found))
    except BaseException:
        book.discard()
        raise
    return found


def _write_each(book: Book, kinds: Sequence[str], selection: Selection, on_progress: OnProgress | None) -> list[Totals]:
    found: list[Totals] = []
    done = 0
    for table in tables_of(kinds):
        totals = Totals(table)
        with book.table(table) as sink:
            for rows in table.rows(selection):
                sink.write(rows)
                totals.add(rows)
                done += len(rows)
                if on_progress:
                    on_progress(done)
        totals.tie(selection)
        found.append(totals)
    return found


def tables_of(kinds: Sequence[str]) -> list[Table]:
    return [table for kind in kinds for table in KINDS[kind].tables]


def expected_rows(kinds: Sequence[str], selection: Selection) -> int | None:
    """How many rows there will be; None where that is as much work as writing them."""
    tables = tables_of(kinds)
    if any(table.expected is None for table in tables):
        return None
    return sum(table.expected(selection) for table in tables if table.expected)


def _file_name(organization: Organization) -> str:
    return organization.key if re.fullmatch(r"[A-Za-z0-9_-]+", organization.key) else organization.public_id
