"""Cells of CSV files that spreadsheet programs do not run as formulas (OWASP, "CSV Injection")."""

from __future__ import annotations

import re

from kernel.text import one_line

#: What begins a formula, the full-width forms among them.
_STARTS = "=+\\-@＝＋－＠"  # noqa: RUF001 - these are the ones
#: What programs skip before it: spaces of every width, quotes, and characters without width.
_SKIPPED = '[\\s"\u00ad\u200b-\u200f\u2060\ufeff]*'
_FORMULA = re.compile(f"{_SKIPPED}[{_STARTS}]|[\t\r\n]")
#: A program set to another separator splits a cell there, quoted or not.
_AFTER_SEPARATOR = re.compile(f"(?<=[;|])(?={_SKIPPED}[{_STARTS}])")
_SEPARATOR_IN_JSON = re.compile(f"[;|](?=(?:{_SKIPPED}|\\\\)*[{_STARTS}])")


def is_formula_like(text: str) -> bool:
    """Return whether a spreadsheet program may take `text` for a formula."""
    return _FORMULA.match(text) is not None


def csv_text(value: object) -> str:
    """Return the cell of a text: one line, with an apostrophe before all that could run as a formula; "" for None."""
    text = one_line("" if value is None else str(value))
    if ";" in text or "|" in text:
        text = _AFTER_SEPARATOR.sub("'", text)
    return f"'{text}" if is_formula_like(text) else text


def csv_json(text: str) -> str:
    """Return the cell of a JSON value, which is the same value: what could run as a formula is escaped as JSON has
    it."""
    escaped = _SEPARATOR_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", one_line(text))
    return f"'{escaped}" if is_formula_like(escaped) else escaped
