"""What a value looks like as text, and what text must not do in a spreadsheet program."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kernel.clock import to_rfc3339

#: What makes spreadsheet programs take text for a formula, the full-width forms among them.
#: Source: OWASP, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - these are the ones


def is_formula_like(text: str) -> bool:
    """Whether a spreadsheet program may take `text` for a formula."""
    return text.startswith(_FORMULA_STARTS)


def plain_decimal(value: Decimal) -> str:
    """All digits of `value` and no exponent."""
    return format(value, "f")


def plain(value: Any) -> Any:
    """`value` as JSON writes it: decimals and times are text, whole numbers and None stay what they are."""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return value.replace("\x00", "") if isinstance(value, str) else value


def _csv_text(value: Any) -> str:
    text = "" if value is None else str(value).replace("\x00", "")
    return f"'{text}" if is_formula_like(text) else text


def _csv_value(value: Any) -> str:
    return "" if value is None else str(plain(value))


def csv_cells(kind: str) -> Callable[[Any], str]:
    """What turns a value of a column of `kind` into text. Formula-like text gets an apostrophe before it; numbers and
    times are ours, and as they are."""
    return _csv_text if kind == "text" else _csv_value


def csv_cell(value: Any, kind: str) -> str:
    """`value` of a column of `kind` as text."""
    return csv_cells(kind)(value)
