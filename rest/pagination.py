"""Lists of the API: `{"data": […], "next_cursor": …}` in a stable order, bounded."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from kernel.errors import InvalidError

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


def limit_of(parameters: Mapping[str, str]) -> int:
    """`limit` of a request: 100 where it says nothing, 1 to 1,000; `InvalidError` otherwise."""
    text = parameters.get("limit") or str(DEFAULT_LIMIT)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidError(f"limit must be a whole number from 1 to {MAX_LIMIT}", code="limit_invalid")
    return int(text)


def encode_cursor(position: list[Any]) -> str:
    """An opaque cursor for the list after `position` (JSON values)."""
    return base64.urlsafe_b64encode(json.dumps(position, default=str).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> list[Any]:
    """The position a cursor stands for; `InvalidError` where it is none of ours."""
    try:
        position = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        position = None
    if not isinstance(position, list):
        raise InvalidError("This cursor was not made by this API", code="cursor_invalid")
    return position


def page(
    rows: QuerySet[Any], parameters: Mapping[str, str], present: Callable[[Any], Any], *, newest_first: bool = False
) -> dict[str, Any]:
    """One page of `rows`, ordered by their time-ordered `pk`, each shown through `present`."""
    limit = limit_of(parameters)
    if cursor := parameters.get("cursor"):
        position = decode_cursor(cursor)
        if len(position) != 1 or not isinstance(position[0], str | int):
            raise InvalidError("This cursor belongs to another list", code="cursor_invalid")
        try:
            rows = rows.filter(Q(pk__lt=position[0]) if newest_first else Q(pk__gt=position[0]))
        except ValueError:  # text where this list has numbers
            raise InvalidError("This cursor belongs to another list", code="cursor_invalid") from None
    found = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    following = encode_cursor([found[limit - 1].pk]) if len(found) > limit else None
    return {"data": [present(row) for row in found[:limit]], "next_cursor": following}
