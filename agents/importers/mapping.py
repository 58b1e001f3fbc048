"""A row as a usage event, by the names of its columns. Pure: no database, no clock."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from agents.importers.report import LineBroken
from metering.facade import CloudEvent

#: Text that JSON can carry as a number and that comes back the same; `007`, `1e5` and the like stay text.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?")
_MAX_ID = 1024

_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")


@dataclass(frozen=True, slots=True)
class RowMapping:
    """Which columns become what. `data` maps names in the event's data to columns.

    One of `customer` and `customer_column` is set. `numbers_as_text` says that the file cannot tell numbers
    from text (CSV), so that what looks like a number is one. Times without a zone are in `zone`.
    """

    type: str
    source: str
    time: str
    data: Mapping[str, str]
    customer: str | None = None
    customer_column: str | None = None
    id_column: str | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    numbers_as_text: bool = False

    @property
    def columns(self) -> list[str]:
        """Every column the mapping names."""
        named = [self.time, *self.data.values(), self.customer_column, self.id_column]
        return [name for name in named if name is not None]


def row_event(mapping: RowMapping, values: Mapping[str, Any]) -> CloudEvent:
    """The event a row becomes. Without an id column its id is still "", for `row_hash` and a number to make.

    Raises `LineBroken`.
    """
    customer = mapping.customer or _text(
        values, mapping.customer_column or "", "customer", is_exact=not mapping.numbers_as_text
    )
    event_id = "" if mapping.id_column is None else _text(values, mapping.id_column, "id")
    if len(event_id) > _MAX_ID:
        raise LineBroken(f"the id is longer than {_MAX_ID} characters", code="id_invalid")
    return CloudEvent(
        specversion="1.0",
        id=event_id,
        source=mapping.source,
        type=mapping.type,
        subject=customer,
        time=_instant(_lookup(values, mapping.time), mapping),
        data=_data(mapping, values),
    )


def row_hash(event: CloudEvent, values: Mapping[str, Any]) -> bytes:
    """32 bytes over the whole row, its customer and the event's type: what an event without an id is known by."""
    try:
        return hashlib.sha256(_encoder.encode([event.type, event.subject, values])).digest()
    except (TypeError, ValueError, RecursionError) as error:
        raise LineBroken(f"the row cannot be written as JSON: {error}", code="row_invalid") from None


def _text(values: Mapping[str, Any], column: str, what: str, *, is_exact: bool = False) -> str:
    """The text in a column, without the space around it unless `is_exact`."""
    value = _lookup(values, column)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise LineBroken(f"no {what} in {column!r}", code=f"{what}_missing")
    return value if is_exact else value.strip()


def _lookup(values: Mapping[str, Any], column: str) -> Any:
    """The value of a column; in nested rows `usage.input` is `input` within `usage`."""
    if column in values:
        return values[column]
    found: Any = values
    for name in column.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _data(mapping: RowMapping, values: Mapping[str, Any]) -> msgspec.Raw:
    found: dict[str, Any] = {}
    for name, column in mapping.data.items():
        value = _lookup(values, column)
        if value is None:
            if mapping.numbers_as_text or column in values:
                continue  # an empty cell
            raise LineBroken(f"no column {column!r}", code="column_missing")
        if mapping.numbers_as_text and _NUMBER.fullmatch(value):
            value = msgspec.Raw(value.encode())
        elif isinstance(value, float) and not math.isfinite(value):
            raise LineBroken(f"{column!r} is {value}, which no event can carry", code="number_invalid")
        elif isinstance(value, bytes | bytearray):
            raise LineBroken(f"{column!r} holds bytes, which no event can carry", code="value_invalid")
        found[name] = value
    try:
        return msgspec.Raw(_encoder.encode(found))
    except (TypeError, ValueError, RecursionError) as error:
        raise LineBroken(f"the data cannot be written as JSON: {error}", code="value_invalid") from None


def _instant(value: Any, mapping: RowMapping) -> datetime:
    """A time in UTC: ISO 8601 text (a day alone is its midnight; past microseconds digits are cut), or a time value."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise LineBroken(f"{value[:60]!r} is not a time like 2026-10-01 09:30:00.5", code="time_invalid") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if not isinstance(value, datetime):
        raise LineBroken(
            f"no time in {mapping.time!r}" if value is None else f"{mapping.time!r} holds {value!r:.60}, not a time",
            code="time_missing" if value is None else "time_invalid",
        )
    try:
        return (value if value.tzinfo else value.replace(tzinfo=mapping.zone)).astimezone(UTC)
    except OverflowError:
        raise LineBroken("the time is beyond the calendar", code="time_invalid") from None
