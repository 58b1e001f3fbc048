"""A sheet of a workbook being filled: typed cells, written row by row.

openpyxl writes all but the rows: its way of writing a cell takes ten times as long as writing its XML does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel

from exports.cells import is_formula_like, plain_decimal
from exports.columns import Column, Row, Rows
from exports.errors import TooManyRows
from kernel.money import minor_digits
from kernel.text import readable

#: Rows a sheet of this format can have, the header's included.
MAX_ROWS = 1_048_576

_MAX_TEXT = 32_767
_WIDTHS = {"text": 20, "count": 10, "number": 16, "price": 16, "money": 14, "time": 19, "day": 11, "json": 30}
_FORMATS = {"number": "General", "price": "0.00##########", "time": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd"}
_BOLD = Font(bold=True)

#: What follows the place of a cell in its XML; "" where there is no cell.
_Cell = Callable[[Any, str], str]


class Sheet:
    """A sheet being filled. `columns` say how the values of each row are typed; `directory` is where rows are kept
    until the workbook is saved."""

    def __init__(
        self,
        workbook: Workbook,
        title: str,
        columns: Sequence[Column],
        currency: str = "currency",
        *,
        exact_names: bool = False,
        directory: Path | None = None,
    ) -> None:
        self._sheet, self._title = workbook.create_sheet(title), title
        names = [column.name for column in columns]
        self._currency = names.index(currency) if currency in names else None
        self._cells = [
            (get_column_letter(place), _Cells(self._sheet, column.kind).cell)
            for place, column in enumerate(columns, start=1)
        ]
        self._sheet.freeze_panes = "A2"
        for (letter, _), column in zip(self._cells, columns, strict=True):
            self._sheet.column_dimensions[letter].width = _WIDTHS[column.kind]
        self._sheet.append([self._header(column, exact_names) for column in columns])
        self.rows = 1
        # Nameless, so that it goes with the process, however that ends.
        self._kept = self._sheet.kept = TemporaryFile(dir=directory)  # noqa: SIM115 - until the workbook is saved

    def write(self, rows: Rows) -> None:
        """Rows, of which money takes the digits of the row's currency. Raises `TooManyRows` where the format ends."""
        if self.rows + len(rows) > MAX_ROWS:
            raise TooManyRows(f"A sheet has at most {MAX_ROWS:,} rows, and {self._title} needs more: export it as csv")
        self._kept.write("".join(map(self._row, rows)).encode())

    def append(self, row: Row) -> None:
        self.write([row])

    def _row(self, row: Row) -> str:
        self.rows += 1
        number = self.rows
        currency = "" if self._currency is None else str(row[self._currency])
        parts = [f'<row r="{number}">']
        for (letter, cell), value in zip(self._cells, row, strict=True):
            if value is not None and (written := cell(value, currency)):
                parts.append(f'<c r="{letter}{number}"{written}</c>')
        parts.append("</row>")
        return "".join(parts)

    def _header(self, column: Column, exact: bool) -> WriteOnlyCell:
        title = f"{column.name} (UTC)" if column.kind == "time" and not exact else column.name
        cell = WriteOnlyCell(self._sheet, title)
        cell.font = _BOLD
        return cell


class _Cells:
    """How the cells of one column are written."""

    def __init__(self, sheet: Any, kind: str) -> None:
        self._sheet = sheet
        self._styles: dict[str, str] = {}
        self._style = self._styled(_FORMATS.get(kind, "General"))
        self._as_text = self._styled("General", quote_prefix=True) if kind in {"text", "json"} else ""
        self._by_currency: dict[str, str] = {}
        by_kind: dict[str, _Cell] = {
            "money": self._money,
            "number": self._decimal,
            "price": self._decimal,
            "count": self._count,
            "time": self._time,
            "day": self._day,
        }
        self.cell = by_kind.get(kind, self._text)

    def _styled(self, number_format: str, *, quote_prefix: bool = False) -> str:
        """The attribute that gives a cell its style, which is made known to the workbook."""
        cell = WriteOnlyCell(self._sheet)
        cell.number_format = number_format
        if quote_prefix:
            cell.quotePrefix = True
        return f' s="{cell.style_id}"' if cell.style_id else ""

    def _money(self, value: Decimal, currency: str) -> str:
        style = self._by_currency.get(currency)
        if style is None:
            style = self._by_currency[currency] = self._styled(_money_format(currency))
        # Written as text is, because openpyxl would write a Decimal by way of a float.
        return f"{style}><v>{plain_decimal(value)}</v>"

    def _decimal(self, value: Decimal, _: str) -> str:
        return f"{self._style}><v>{plain_decimal(value)}</v>"

    def _count(self, value: int, _: str) -> str:
        return f"{self._style}><v>{value}</v>"

    def _time(self, value: datetime, _: str) -> str:
        return f"{self._style}><v>{_serial(value.astimezone(UTC).replace(tzinfo=None))}</v>"

    def _day(self, value: Any, _: str) -> str:
        return f"{self._style}><v>{_serial(value)}</v>"

    def _text(self, value: Any, _: str) -> str:
        text = str(value)
        if not text:
            return ""
        if not text.isprintable() or len(text) > _MAX_TEXT:
            text = readable(text)[:_MAX_TEXT]
        # Text whatever it looks like, and still text after somebody has edited the cell.
        style = self._as_text if is_formula_like(text) else ""
        space = ' xml:space="preserve"' if text != text.strip() else ""
        return f'{style} t="inlineStr"><is><t{space}>{_escaped(text)}</t></is>'


#: What programs read as a character by its number (ECMA-376, ST_Xstring).
_NUMBERED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


def _escaped(text: str) -> str:
    return escape(_NUMBERED.sub("_x005F_", text) if "_x" in text else text, {"\r": "&#13;"})


@lru_cache(maxsize=4096)
def _serial(value: Any) -> Any:
    """A day or an instant as Excel counts them; those of an export are few."""
    return to_excel(value)


def _money_format(currency: str) -> str:
    digits = minor_digits(currency)
    return "#,##0." + "0" * digits if digits else "#,##0"
