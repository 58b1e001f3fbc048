"""Excel workbooks with typed cells, written row by row, and with the same bytes for the same content."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter

from exports.cells import is_formula_like, plain_decimal
from exports.columns import Column, Row, Rows
from exports.errors import TooManyRows
from exports.files import EPOCH, timeless_member
from exports.formats.book import Book, Sink
from exports.tables import Table
from kernel.money import minor_digits

#: Rows a sheet of this format can have, the header's included.
MAX_ROWS = 1_048_576

_MAX_TEXT = 32_767
_WIDTHS = {"text": 20, "count": 10, "number": 16, "price": 16, "money": 14, "time": 19, "day": 11, "json": 30}
_FORMATS = {"number": "General", "price": "0.00##########", "time": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd"}
_BOLD = Font(bold=True)

#: A cell, or None for nothing (`WriteOnlyCell` is a function).
Cell = Any


class XlsxBook(Book):
    """One workbook with a sheet for each table, and one of totals by currency."""

    def __init__(self, directory: Path, *, name: str, of: str) -> None:
        super().__init__(directory, name=name, of=of)
        self._workbook = new_workbook()

    @contextmanager
    def table(self, table: Table) -> Iterator[Sink]:
        yield Sheet(self._workbook, table.title, table.columns, table.currency, exact_names=table.exact_names)

    def finish(self, columns: Sequence[Column], totals: Rows) -> None:
        if totals:
            Sheet(self._workbook, "Totals", columns).write(totals)
        elif columns:
            Sheet(self._workbook, "Totals", columns)
        save_workbook(self._workbook, self.directory / f"{self.name}-{self.of}.xlsx")

    def discard(self) -> None:
        """Sheets are kept in files of openpyxl's own, which would stay until the process ends."""
        for sheet in self._workbook:
            sheet.close()
            sheet._writer.cleanup()


class Sheet:
    """A sheet being filled. `columns` say how the values of each row are typed."""

    def __init__(
        self,
        workbook: Workbook,
        title: str,
        columns: Sequence[Column],
        currency: str = "currency",
        *,
        exact_names: bool = False,
    ) -> None:
        self._sheet, self._title = workbook.create_sheet(title), title
        names = [column.name for column in columns]
        self._currency = names.index(currency) if currency in names else None
        self._columns = [_Cells(self._sheet, column.kind) for column in columns]
        self._sheet.freeze_panes = "A2"
        for place, column in enumerate(columns):
            self._sheet.column_dimensions[get_column_letter(place + 1)].width = _WIDTHS[column.kind]
        self._sheet.append([self._header(column, exact_names) for column in columns])
        self.rows = 1

    def write(self, rows: Rows) -> None:
        """Rows, of which money takes the digits of the row's currency. Raises `TooManyRows` where the format ends."""
        if self.rows + len(rows) > MAX_ROWS:
            raise TooManyRows(f"A sheet has at most {MAX_ROWS:,} rows, and {self._title} needs more: export it as csv")
        for row in rows:
            self.append(row)

    def append(self, row: Row) -> None:
        currency = "" if self._currency is None else str(row[self._currency])
        self._sheet.append([cells.cell(value, currency) for cells, value in zip(self._columns, row, strict=True)])
        self.rows += 1

    def _header(self, column: Column, exact: bool) -> WriteOnlyCell:
        title = f"{column.name} (UTC)" if column.kind == "time" and not exact else column.name
        cell = WriteOnlyCell(self._sheet, title)
        cell.font = _BOLD
        return cell


class _Cells:
    """The cells of one column. A cell is written as soon as it is appended, so that one serves for all rows."""

    def __init__(self, sheet: Any, kind: str) -> None:
        self._sheet = sheet
        self._by_format: dict[str, WriteOnlyCell] = {}
        self._format = _FORMATS.get(kind, "General")
        self.cell: Callable[[Any, str], Cell] = {
            "money": self._money,
            "number": self._decimal,
            "price": self._decimal,
            "count": self._plain,
            "time": self._time,
            "day": self._plain,
        }.get(kind, self._text)

    def _styled(self, number_format: str) -> WriteOnlyCell:
        cell = self._by_format.get(number_format)
        if cell is None:
            cell = self._by_format[number_format] = WriteOnlyCell(self._sheet)
            cell.number_format = number_format
        return cell

    def _number(self, value: Decimal | None, number_format: str) -> Cell:
        if value is None:
            return None
        # Given as text and marked as a number, because openpyxl would write a Decimal by way of a float.
        cell = self._styled(number_format)
        cell.value = plain_decimal(value)
        cell.data_type = "n"
        return cell

    def _money(self, value: Any, currency: str) -> Cell:
        return self._number(value, _money_format(currency))

    def _decimal(self, value: Any, _: str) -> Cell:
        return self._number(value, self._format)

    def _plain(self, value: Any, _: str) -> Cell:
        if value is None:
            return None
        cell = self._styled(self._format)
        cell.value = value
        cell.number_format = self._format
        return cell

    def _time(self, value: Any, _: str) -> Cell:
        if value is None:
            return None
        cell = self._styled(self._format)
        cell.value = value.astimezone(UTC).replace(tzinfo=None)
        cell.number_format = self._format
        return cell

    def _text(self, value: Any, _: str) -> Cell:
        if value is None or value == "":
            return None
        text = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", str(value))[:_MAX_TEXT]
        if not is_formula_like(text):
            cell = self._styled("General")
            cell.value = text
            cell.data_type = "s"
            return cell
        cell = WriteOnlyCell(self._sheet, text)
        cell.data_type = "s"  # text, whatever it looks like
        cell.quotePrefix = True  # and still text after somebody has edited the cell
        return cell


def new_workbook() -> Workbook:
    """An empty workbook that keeps no rows in memory."""
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "Taximeter"
    workbook.properties.created = workbook.properties.modified = datetime(*EPOCH)  # noqa: DTZ001 - a zip knows no zones
    return workbook


def save_workbook(workbook: Workbook, path: Path) -> None:
    """Write `workbook` to `path`; no byte of it depends on when or where."""
    with _TimelessZip(path, "w", ZIP_DEFLATED) as archive:
        ExcelWriter(workbook, archive).write_data()


class _TimelessZip(ZipFile):
    """A zip archive whose members are all of 1 January 1980."""

    def writestr(self, name: Any, data: Any, *args: Any, **options: Any) -> None:
        super().writestr(timeless_member(name), data, *args, **options)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **options: Any) -> None:
        with open(filename, "rb") as source, self.open(timeless_member(arcname), "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target)


def _money_format(currency: str) -> str:
    digits = minor_digits(currency)
    return "#,##0." + "0" * digits if digits else "#,##0"
