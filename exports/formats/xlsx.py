"""Excel workbooks, with the same bytes for the same content."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.writer.excel import ExcelWriter

from exports.columns import Column, Rows
from exports.files import EPOCH, timeless_member
from exports.formats.book import Book, Sink
from exports.formats.sheets import Sheet
from exports.tables import Table

_END_OF_ROWS = b"</sheetData>"


class XlsxBook(Book):
    """One workbook with a sheet for each table, and one of totals by currency."""

    def __init__(self, directory: Path, *, name: str, of: str) -> None:
        super().__init__(directory, name=name, of=of)
        self._workbook = new_workbook()

    @contextmanager
    def table(self, table: Table) -> Iterator[Sink]:
        yield Sheet(
            self._workbook,
            table.title,
            table.columns,
            table.currency,
            exact_names=table.exact_names,
            directory=self.directory,
        )

    def finish(self, columns: Sequence[Column], totals: Rows) -> None:
        if columns:
            Sheet(self._workbook, "Totals", columns).write(totals)
        save_workbook(self._workbook, self.directory / f"{self.name}-{self.of}.xlsx")

    def discard(self) -> None:
        """Sheets are kept in files of openpyxl's own, which would stay until the process ends."""
        for sheet in self._workbook:
            sheet.close()
            sheet._writer.cleanup()
            sheet.kept.close()


def new_workbook() -> Workbook:
    """An empty workbook that keeps no rows in memory."""
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "Taximeter"
    workbook.properties.created = workbook.properties.modified = datetime(*EPOCH)  # noqa: DTZ001 - a zip knows no zones
    return workbook


def save_workbook(workbook: Workbook, path: Path) -> None:
    """Write `workbook` to `path`; no byte of it depends on when or where."""
    with _TimelessZip(path, "w", ZIP_DEFLATED) as archive:
        _Writer(workbook, archive).write_data()


class _Writer(ExcelWriter):  # type: ignore[misc] # openpyxl has no types
    """Writes each sheet with the rows that were kept for it."""

    def write_worksheet(self, ws: Any) -> None:
        with ws.kept as rows:
            rows.seek(0)
            self._archive.rows = rows
            super().write_worksheet(ws)


class _TimelessZip(ZipFile):
    """A zip archive whose members are all of 1 January 1980. `rows` go to the end of those of the next sheet."""

    rows: IO[bytes]

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **options: Any) -> None:
        super().writestr(timeless_member(zinfo_or_arcname), data, *args, **options)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **options: Any) -> None:
        """Add what openpyxl made of a sheet: its header, and all around the rows."""
        before, end, after = Path(filename).read_bytes().partition(_END_OF_ROWS)
        assert end, arcname
        with self.open(timeless_member(arcname), "w", force_zip64=True) as target:
            target.write(before)
            shutil.copyfileobj(self.rows, target, 1 << 20)
            target.write(end + after)
