"""Excel workbooks with typed cells, written row by row, and with the same bytes for the same content."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.writer.excel import ExcelWriter

from billing.exports.cells import is_formula_like, plain_decimal
from billing.exports.frames import Column
from kernel.money import minor_digits

#: Rows a sheet of this format can have, the header's included.
MAX_ROWS = 1_048_576

_MAX_TEXT = 32_767
_EPOCH = datetime(1980, 1, 1)  # noqa: DTZ001 - what a zip archive counts from; it knows no zones
_WIDTHS = {"text": 20, "count": 10, "number": 16, "price": 16, "money": 14, "time": 19}
_FORMATS = {"number": "General", "price": "0.00##########"}
_BOLD = Font(bold=True)


class Sheet:
    """A sheet being filled. `columns` say how the values of each row are typed."""

    def __init__(self, workbook: Workbook, title: str, columns: Sequence[Column]) -> None:
        self._sheet = workbook.create_sheet(title)
        self._columns = columns
        self._currency = next((i for i, column in enumerate(columns) if column.name == "currency"), None)
        self._sheet.freeze_panes = "A2"
        for place, column in enumerate(columns):
            self._sheet.column_dimensions[_letter(place)].width = _WIDTHS[column.kind]
        self._sheet.append([self._header(column) for column in columns])
        self.rows = 1

    def append(self, values: Sequence[Any]) -> None:
        """A row. Money takes the digits of the row's `currency`."""
        currency = "" if self._currency is None else str(values[self._currency])
        cells = [self._cell(value, column, currency) for value, column in zip(values, self._columns, strict=True)]
        self._sheet.append(cells)
        self.rows += 1

    def _header(self, column: Column) -> WriteOnlyCell:
        title = f"{column.name} (UTC)" if column.kind == "time" else column.name
        cell = WriteOnlyCell(self._sheet, title)
        cell.font = _BOLD
        return cell

    def _cell(self, value: Any, column: Column, currency: str) -> WriteOnlyCell | None:
        if value is None or value == "":
            return None
        if isinstance(value, Decimal):
            # Given as text and marked as a number, because openpyxl would write a Decimal by way of a float.
            cell = WriteOnlyCell(self._sheet, plain_decimal(value))
            cell.data_type = "n"
            cell.number_format = _money_format(currency) if column.kind == "money" else _FORMATS[column.kind]
        elif isinstance(value, datetime):
            cell = WriteOnlyCell(self._sheet, value.astimezone(UTC).replace(tzinfo=None))
            cell.number_format = "yyyy-mm-dd hh:mm:ss"
        elif isinstance(value, int):
            cell = WriteOnlyCell(self._sheet, value)
        else:
            cell = self._text(str(value))
        return cell

    def _text(self, value: str) -> WriteOnlyCell:
        cell = WriteOnlyCell(self._sheet, ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value)[:_MAX_TEXT])
        if is_formula_like(value):
            cell.data_type = "s"  # text, whatever it looks like
            cell.quotePrefix = True  # and still text after somebody has edited the cell
        return cell


def new_workbook() -> Workbook:
    """An empty workbook that keeps no rows in memory."""
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "Taximeter"
    workbook.properties.created = workbook.properties.modified = _EPOCH
    return workbook


def save_workbook(workbook: Workbook, path: Path) -> None:
    """Write `workbook` to `path`; no byte of it depends on when or where."""
    with _TimelessZip(path, "w", ZIP_DEFLATED) as archive:
        ExcelWriter(workbook, archive).write_data()


class _TimelessZip(ZipFile):
    """A zip archive whose members are all of 1 January 1980."""

    def writestr(self, name: Any, data: Any, *args: Any, **options: Any) -> None:
        super().writestr(_member(name), data, *args, **options)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **options: Any) -> None:
        with open(filename, "rb") as source, self.open(_member(arcname), "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target)


def _member(name: str) -> ZipInfo:
    member = ZipInfo(name.lstrip("/"), _EPOCH.timetuple()[:6])
    member.compress_type = ZIP_DEFLATED
    return member


def _money_format(currency: str) -> str:
    digits = minor_digits(currency)
    return "#,##0." + "0" * digits if digits else "#,##0"


def _letter(place: int) -> str:
    return chr(ord("A") + place)  # no sheet here has more than 26 columns
