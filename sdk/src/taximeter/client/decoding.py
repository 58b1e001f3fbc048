"""From JSON to frozen dataclasses, by their annotations.

Names that a class does not know are passed over, so that a newer server can be read. A name that is missing takes
the field's default; without one the answer is not what this API answers.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from taximeter.client.errors import UnexpectedAnswer

Answer = TypeVar("Answer")
Decoder = Callable[[Any], Any]

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def decode(kind: type[Answer], value: Any) -> Answer:
    """`value`, an object of JSON, as a `kind`; raises `UnexpectedAnswer` where it is none."""
    try:
        read: Callable[[Any], Answer] = _decoder(typing.cast(Any, kind))
        return read(value)
    except (TypeError, ValueError, KeyError, InvalidOperation) as error:
        raise UnexpectedAnswer(f"the answer is no {kind.__name__}: {error}") from error


def json_name(field: dataclasses.Field[Any]) -> str:
    """What a dataclass's field is called in JSON."""
    return str(field.metadata.get("json", field.name))


def parse_instant(text: str) -> datetime:
    """An instant in RFC 3339 as an aware datetime in UTC; below microseconds it is cut off."""
    found = _INSTANT.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no instant")
    second, fraction, zone = found.groups()
    micros = (fraction or "").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{second}.{micros}{'+00:00' if zone == 'Z' else zone}").astimezone(timezone.utc)


@functools.cache
def _decoder(kind: Any) -> Decoder:
    """How a value of annotation `kind` is read."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_decoder(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType} and type(None) in arguments:
        [inner] = [_decoder(argument) for argument in arguments if argument is not type(None)]
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda value: tuple(item(one) for one in _checked(value, list))
    if origin is dict:
        of_value = _decoder(arguments[1])
        return lambda value: {str(name): of_value(one) for name, one in _checked(value, dict).items()}
    raise TypeError(f"no way to read a {kind}")


def _dataclass_decoder(kind: type[Any]) -> Decoder:
    hints = typing.get_type_hints(kind)
    fields = [
        (field.name, json_name(field), _decoder(hints[field.name]), _is_optional(field))
        for field in dataclasses.fields(kind)
        if field.init
    ]

    def read(value: Any) -> Any:
        given = _checked(value, dict)
        found = {}
        for name, key, of_field, optional in fields:
            if key not in given:
                if optional:
                    continue
                raise ValueError(f"{key} is missing")
            try:
                found[name] = of_field(given[key])
            except (TypeError, ValueError, InvalidOperation) as error:
                raise ValueError(f"{key}: {error}") from error
        return kind(**found)

    return read


def _is_optional(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _checked(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{str(value)[:60]!r} is no {kind.__name__}")
    return value


def _decimal(value: Any) -> Decimal:
    return Decimal(_checked(value, str))


_PLAIN: dict[Any, Decoder] = {
    str: lambda value: _checked(value, str),
    int: lambda value: _checked(value, int),
    bool: lambda value: _checked(value, bool),
    Decimal: _decimal,
    datetime: lambda value: parse_instant(_checked(value, str)),
    Any: lambda value: value,
}
