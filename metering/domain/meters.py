"""What a meter is: which events count, what of them, and along which dimensions. Plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel.errors import FieldError, InvalidError
from kernel.money import decimal_from

AGGREGATIONS = ("count", "sum", "unique_count", "max", "min", "latest", "average")

#: Aggregations over numbers: an event whose value is no number is refused at the door.
NUMERIC = frozenset({"sum", "max", "min", "latest", "average"})

#: What the projection can answer; the others are read from the log.
PROJECTED = frozenset({"count", "sum", "unique_count", "average"})

_COMPARISONS = ("gt", "gte", "lt", "lte")
OPERATORS = ("eq", "ne", "in", "not_in", *_COMPARISONS, "exists")

_PATH = re.compile(r"data(\.[A-Za-z_][A-Za-z0-9_-]{0,62}){1,6}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = frozenset(
    {"from", "to", "window", "timezone", "customer", "group_by", "limit", "cursor", "start", "end", "quantity"}
)

#: Text that may be a number. The database's `metering_number` reads all of these, and longer ones too.
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")

#: What a single event may bring to a meter: below 10^18, and no finer than 30 places.
_LARGEST, _PLACES = Decimal(10) ** 18, 30


class MeterInvalid(InvalidError):
    code = "meter_invalid"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on an event's data: all of a meter's filters must hold."""

    path: tuple[str, ...]
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class MeterDefinition:
    """What a version of a meter computes. Paths are the keys below `data`."""

    event_type: str
    aggregation: str
    value: tuple[str, ...] | None
    filters: tuple[Filter, ...]
    dimensions: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def dimension_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.dimensions)

    def to_json(self) -> dict[str, Any]:
        """As the API writes it; `parse_meter` of this is equal to `self`."""
        return {
            "event_type": self.event_type,
            "aggregation": self.aggregation,
            "value": _dotted(self.value) if self.value else None,
            "filters": [{"path": _dotted(f.path), "op": f.op, "value": f.value} for f in self.filters],
            "dimensions": {name: _dotted(path) for name, path in self.dimensions},
        }


def is_number(value: object) -> bool:
    """Whether a meter can count with a value of an event's data: a JSON number, or the same as text.

    It must be finite, below 10^18 and have at most 30 decimal places, so that no event can bring a
    sum out of the range that billing can price.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return False
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return False
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    return abs(number) < _LARGEST and isinstance(exponent, int) and exponent >= -_PLACES


def parse_meter(body: Mapping[str, Any]) -> MeterDefinition:
    """A definition from the API's JSON; raises `MeterInvalid` with a pointer to every field that is wrong."""
    errors: list[FieldError] = []

    def check(pointer: str, read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except ValueError as error:
            errors.append(FieldError(pointer, "invalid", str(error)))
            return None

    event_type = check("/event_type", _text, body.get("event_type"))
    aggregation = check("/aggregation", _one_of, body.get("aggregation"), AGGREGATIONS)
    value = check("/value", _value_path, body.get("value"), aggregation)
    filters = check("/filters", _items, body.get("filters"), list)
    parsed = [check(f"/filters/{i}", _filter, item) for i, item in enumerate(filters or [])]
    dimensions = check("/dimensions", _items, body.get("dimensions"), dict)
    paths = [
        (name, check(f"/dimensions/{name}", _dimension, name, path))
        for name, path in sorted((dimensions or {}).items())
    ]
    if errors:
        raise MeterInvalid("; ".join(f"{e.pointer}: {e.detail}" for e in errors[:3]), errors=errors)
    return MeterDefinition(event_type, aggregation, value, tuple(parsed), tuple(paths))


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(("data", *path))


def _text(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or "\x00" in value:
        raise ValueError("must be text of 1 to 255 characters")
    return value


def _one_of(value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return str(value)


def _items(value: object, kind: type) -> Any:
    if value is None:
        return kind()
    if not isinstance(value, kind) or len(value) > 20:  # type: ignore[arg-type]
        raise ValueError(f"must be {'an object' if kind is dict else 'a list'} of at most 20 items")
    return value


def _path(value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError("must be a path such as data.model")
    return tuple(value.split(".")[1:])


def _value_path(value: object, aggregation: str | None) -> tuple[str, ...] | None:
    if aggregation == "count":
        if value is not None:
            raise ValueError("count takes no value")
        return None
    return _path(value)


def _dimension(name: object, path: object) -> tuple[str, ...]:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        raise ValueError("a dimension's name has small letters, digits and _, and is no parameter of a usage query")
    return _path(path)


def _filter(item: object) -> Filter:
    if not isinstance(item, Mapping) or set(item) - {"path", "op", "value"}:
        raise ValueError('must be {"path", "op", "value"}')
    path, op = _path(item.get("path")), _one_of(item.get("op"), OPERATORS)
    return Filter(path, op, _operand(op, item.get("value", True if op == "exists" else None)))


def _operand(op: str, value: Any) -> Any:
    if op == "exists":
        if not isinstance(value, bool):
            raise ValueError("exists takes true or false")
        return value
    if op in {"in", "not_in"}:
        if not isinstance(value, list) or not 1 <= len(value) <= 100:
            raise ValueError(f"{op} takes a list of 1 to 100 values")
        return [_scalar(part) for part in value]
    if op in _COMPARISONS:
        if not is_number(value):
            raise ValueError(f"{op} takes a number")
        return str(decimal_from(value))
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """A JSON scalar. A number with a point is kept as the text of its exact value's JSON number."""
    if value is None or (isinstance(value, str) and (len(value) > 1000 or "\x00" in value)):
        raise ValueError("must be a text of at most 1,000 characters, a number, true or false")
    if not isinstance(value, str | int | Decimal):
        raise ValueError("must be a text, a number, true or false")
    return value
