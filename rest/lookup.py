"""Finding a thing by what a path or a reference says: its id or its key, within one organization."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from kernel.clock import parse_rfc3339
from kernel.errors import InvalidError, NotFoundError

M = TypeVar("M", bound=Model)


def find(rows: QuerySet[M], reference: object, *, what: str) -> M:
    """The row of `rows` whose `id` or `key` is `reference`; `NotFoundError` (code `<what>_not_found`) otherwise."""
    found = None
    if isinstance(reference, str) and "\x00" not in reference:
        condition = Q(id=reference)
        if any(field.name == "key" for field in rows.model._meta.fields):
            condition |= Q(key=reference)
        found = rows.filter(condition).first()
    if found is None:
        raise NotFoundError(f"There is no {what.replace('_', ' ')} {reference!r}", code=f"{what}_not_found")
    return found


def parse_instant(text: str) -> datetime:
    """An RFC 3339 instant between 1970 and 2999, so that no zone and no period leads out of the calendar.

    `ValueError` for anything else.
    """
    instant = parse_rfc3339(text)
    if not 1970 <= instant.year <= 2999:
        raise ValueError(f"{text!r} does not lie between 1970 and 2999")
    return instant


def instant_parameter(parameters: Mapping[str, str], name: str) -> datetime | None:
    """The RFC 3339 instant in a query parameter, None where it is missing; `InvalidError` for anything else."""
    text = parameters.get(name)
    if not text:
        return None
    try:
        # In a query string an unescaped "+" of an offset arrives as a space.
        return parse_instant(text.replace(" ", "+"))
    except ValueError:
        raise InvalidError(
            f"{name} must be an RFC 3339 time with a zone, such as 2026-10-01T00:00:00Z, from 1970 to 2999",
            code=f"{name}_invalid",
        ) from None
