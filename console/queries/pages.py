"""One page of a long list, and the cursor to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from kernel.errors import InvalidError
from rest.pagination import decode_cursor, encode_cursor

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Any]
    next_cursor: str | None


def page_of(
    rows: QuerySet[Any], cursor: str | None, *, order: tuple[str, ...] = ("pk",), newest_first: bool = False
) -> Page:
    """The `PAGE` rows after `cursor` by the fields `order`, which together are unique and hold text or whole numbers.

    Raises `InvalidError` for a cursor of another list.
    """
    if cursor:
        try:
            rows = rows.filter(_after(cursor, order, "lt" if newest_first else "gt"))
        except ValueError:  # text where this list has numbers
            raise InvalidError("This cursor belongs to another list", code="cursor_invalid") from None
    fields = [f"-{name}" if newest_first else name for name in order]
    found = list(rows.order_by(*fields)[: PAGE + 1])
    if len(found) <= PAGE:
        return Page(found, None)
    return Page(found[:PAGE], encode_cursor([getattr(found[PAGE - 1], name) for name in order]))


def _after(cursor: str, order: tuple[str, ...], comparison: str) -> Q:
    position = decode_cursor(cursor)
    if len(position) != len(order) or not all(map(_is_place, position)):
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid")
    after, same = Q(), Q()
    for name, part in zip(order, position, strict=True):
        after |= same & Q(**{f"{name}__{comparison}": part})
        same &= Q(**{name: part})
    return after


def _is_place(part: object) -> bool:
    return "\x00" not in part if isinstance(part, str) else isinstance(part, int)
