"""Reads JSON into values and collects everything wrong with it, with JSON pointers (RFC 6901).

A reader always returns something; what it returned means nothing once there are problems, so callers
end with `problems.refuse(...)`.

Numbers are text in plain notation (`"12"`, `"0.0013"`) or whole JSON numbers. Exponents, signs other
than a minus, spaces, underscores and digits outside ASCII are refused, and so is every JSON number with a
point (a float, or a Decimal where the body was read exactly): 0.1 has lost the exact value in most clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from billing.rating.pricing.values import LARGEST, PRICE_PLACES, QUANTITY_PLACES
from kernel.errors import FieldError, InvalidError

_NUMBER = re.compile(r"-?[0-9]+(?:\.([0-9]+))?", re.ASCII)
_LONGEST_NUMBER = 80
_LONGEST_TEXT = 200
_MOST_PROBLEMS = 20


class Problems:
    """Field errors as they are found, the first 20 of them: nobody reads more, and a body may hold millions."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def add(self, pointer: str, code: str, detail: str) -> None:
        if len(self.errors) < _MOST_PROBLEMS:
            self.errors.append(FieldError(pointer, code, detail))

    def refuse(self, error: type[InvalidError], what: str) -> None:
        """Raise `error` if there is any problem."""
        if self.errors:
            first = self.errors[0]
            raise error(f"{what}: {first.detail}", errors=self.errors)


def child(pointer: str, token: str | int) -> str:
    """The pointer one step deeper. Long or unprintable names, which only a broken client sends, are cut and escaped."""
    text = str(token).encode("utf-8", "backslashreplace").decode()[:_LONGEST_TEXT]
    return f"{pointer}/{text.replace('~', '~0').replace('/', '~1')}"


class ObjectReader:
    """One JSON object at `pointer`. Every key that is not in `keys` is a problem."""

    def __init__(self, value: object, problems: Problems, *, pointer: str = "") -> None:
        self.problems = problems
        self.pointer = pointer
        self.is_object = isinstance(value, Mapping)
        self.values: dict[object, object] = dict(value) if isinstance(value, Mapping) else {}
        if not self.is_object:
            problems.add(pointer, "object_expected", f"an object is needed here, not {shown(value)}")

    def only(self, keys: Iterable[str]) -> None:
        known = set(keys)
        for key in self.values:
            if key not in known:
                self.problems.add(child(self.pointer, str(key)), "unknown_field", f"{shown(key)} is not known here")

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def required(self, key: str) -> bool:
        """Whether `key` is there; a problem if not."""
        if key in self.values:
            return True
        if self.is_object:
            self.problems.add(child(self.pointer, key), "required", f"{key} is missing")
        return False

    def price(self, key: str, default: Decimal | None = None) -> Decimal:
        """A price, an amount, a rate or the size of a tier: not negative, 12 decimal places at most."""
        return self._number(key, default, PRICE_PLACES)

    def price_or_null(self, key: str) -> Decimal | None:
        """As `price`, where null is an answer of its own; the key is needed."""
        if key in self.values and self.values[key] is None:
            return None
        return self.price(key)

    def quantity(self, key: str, default: Decimal | None = None) -> Decimal:
        """A quantity: not negative, 30 decimal places at most."""
        return self._number(key, default, QUANTITY_PLACES)

    def items(self, key: str, *, most: int) -> Sequence[object]:
        """The list at `key`, which is needed and has 1 to `most` items."""
        if not self.required(key):
            return ()
        value, pointer = self.values[key], child(self.pointer, key)
        if not isinstance(value, list | tuple):
            self.problems.add(pointer, "list_expected", f"a list is needed here, not {shown(value)}")
            return ()
        if not value:
            self.problems.add(pointer, "empty", f"{key} needs at least one item")
        if len(value) > most:
            self.problems.add(pointer, "too_many", f"{key} has {len(value)} items, more than the {most} allowed")
            return ()
        return value

    def _number(self, key: str, default: Decimal | None, places: int) -> Decimal:
        if default is not None and key not in self.values:
            return default
        if not self.required(key):
            return Decimal(0)
        return read_number(self.values[key], self.problems, child(self.pointer, key), places=places)


def read_number(value: object, problems: Problems, pointer: str, *, places: int) -> Decimal:
    """A number from 0 to 10^18 with at most `places` decimal places; problems otherwise, and 0."""
    code, detail = "", ""
    number = Decimal(0)
    if isinstance(value, float | Decimal):  # as requests are read, a JSON number with a point is a Decimal
        code, detail = "float_not_exact", f"{shown(value)} is not exact as a JSON number; write it as a string"
    elif isinstance(value, bool) or not isinstance(value, str | int):
        code, detail = "number_invalid", f"a number is needed here, as a string, not {shown(value)}"
    elif isinstance(value, int):
        # Compared before it is converted: a whole number may have millions of digits.
        code, detail = _outside(value)
        number = Decimal(0) if code else Decimal(value)
    else:
        found = _NUMBER.fullmatch(value) if len(value) <= _LONGEST_NUMBER else None
        if found is None:
            code, detail = "number_invalid", f"{shown(value)} is not a plain decimal number such as 12 or 0.0013"
        elif len((found[1] or "").rstrip("0")) > places:
            code, detail = "too_many_decimals", f"{shown(value)} has more than {places} decimal places"
        else:
            number = Decimal(value)
            code, detail = _outside(number)
    if code:
        problems.add(pointer, code, detail)
        return Decimal(0)
    return number.copy_abs()  # -0 is 0; abs() would round to the 28 digits of the default context


def read_text(value: object, problems: Problems, pointer: str) -> str:
    """Text of 1 to 200 characters that can be stored; a problem otherwise, and ""."""
    if not isinstance(value, str):
        problems.add(pointer, "text_invalid", f"text is needed here, not {shown(value)}")
    elif not 1 <= len(value) <= _LONGEST_TEXT:
        problems.add(pointer, "text_invalid", f"text of 1 to {_LONGEST_TEXT} characters is needed here")
    elif "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        problems.add(pointer, "text_invalid", f"{shown(value)} has characters that cannot be stored")
    else:
        return value
    return ""


def shown(value: object) -> str:
    """`value` as an error may repeat it: short and in ASCII."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number beyond all bounds"
    text = ascii(value[:60]) if isinstance(value, str) else str(value)[:60]
    return f"{text}…" if isinstance(value, str) and len(value) > 60 else text


def _outside(number: int | Decimal) -> tuple[str, str]:
    if number < 0:
        return "negative", f"{shown(number)} is negative"
    if number > LARGEST:
        return "out_of_range", "numbers go up to 10^18"
    return "", ""
