"""The one place that reads the machine's clock. Everything else is told the time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

#: Answers the present instant, aware and in UTC. A test clock is one of these.
Clock = Callable[[], datetime]

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def system_clock() -> datetime:
    """The machine's present instant in UTC."""
    return datetime.now(UTC)


def to_rfc3339(instant: datetime) -> str:
    """`instant` as the API writes it: UTC, microseconds only where there are any, `Z` at the end."""
    if instant.tzinfo is None:
        raise ValueError("a time without a zone says nothing about when it was")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """An aware UTC instant from RFC 3339 text; `ValueError` for anything else, a missing zone included."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is not an RFC 3339 time with a zone")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None
