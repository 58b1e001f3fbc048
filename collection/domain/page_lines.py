"""What stands on a provider's page to pay on: the lines of the invoice where they come to what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Stripe's pages have at most 100 lines, and names of at most 250 characters.
_MOST_LINES, _LONGEST_NAME = 100, 250


@dataclass(frozen=True, slots=True)
class PageLine:
    """`units` is a whole number of the currency's smallest unit."""

    name: str
    units: int


def page_lines(*, number: str, lines: Sequence[PageLine], tax: int, due: int) -> list[PageLine]:
    """The invoice's lines and its tax, if these alone come to what is due: nothing was paid before, drawn from credit
    or given back in a line. Otherwise one line over what is due of the invoice. Lines over nothing are left out."""
    shown = [PageLine(_name(one.name), one.units) for one in lines if one.units]
    if tax:
        shown.append(PageLine("Tax", tax))
    is_whole = sum(one.units for one in shown) == due and all(one.units > 0 for one in shown)
    if shown and is_whole and len(shown) <= _MOST_LINES:
        return shown
    return [PageLine(f"Invoice {number}", due)]


def _name(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
