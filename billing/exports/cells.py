"""What a value looks like in a file, and what text must not do there."""

from __future__ import annotations

from datetime import datetime
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


def csv_cell(value: Any, kind: str) -> str:
    """`value` as text. Formula-like text gets an apostrophe before it; numbers and times are ours, and as they are."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    text = str(value).replace("\x00", "")
    return f"'{text}" if kind == "text" and is_formula_like(text) else text
