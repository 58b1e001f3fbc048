"""Values as text: as JSON has them, and as cells of a CSV file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kernel.clock import to_rfc3339
from kernel.spreadsheets import csv_json, csv_text, is_formula_like
from kernel.text import readable

__all__ = ["csv_cell", "csv_cells", "is_formula_like", "plain", "plain_decimal"]


def plain_decimal(value: Decimal) -> str:
    """All digits of `value` and no exponent."""
    return format(value, "f")


def plain(value: Any) -> Any:
    """`value` as JSON writes it: decimals and times are text, text is `readable`, whole numbers and None stay what they
    are."""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return readable(value) if isinstance(value, str) else value


def _csv_json(value: Any) -> str:
    return "" if value is None else csv_json(str(value))


def _csv_value(value: Any) -> str:
    return "" if value is None else str(plain(value))


_CSV_CELLS: dict[str, Callable[[Any], str]] = {"text": csv_text, "json": _csv_json}


def csv_cells(kind: str) -> Callable[[Any], str]:
    """The function that turns a value of a column of `kind` into text. Text runs as no formula; numbers and times are
    ours, and as they are."""
    return _CSV_CELLS.get(kind, _csv_value)


def csv_cell(value: Any, kind: str) -> str:
    """`value` of a column of `kind` as text."""
    return csv_cells(kind)(value)
