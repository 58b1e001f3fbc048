"""Money, and the only place where it is rounded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from iso4217 import Currency

#: Digits after the point by currency. Source: ISO 4217, list one; gold and the like have none and are left out.
_MINOR_UNITS: dict[str, int] = {one.code: one.exponent for one in Currency if one.exponent is not None}

#: Plain decimal text; also an exponent of up to two digits, as machines write small numbers.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")

#: How requests write numbers: no exponent, plus sign, space or bare point.
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_LONGEST_PLAIN = 80

#: Wide enough for any price times any quantity, so that nothing is rounded before its line is.
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def decimal_from(value: object) -> Decimal:
    """The one door for decimals: from text, a whole number or a Decimal; a float raises `TypeError`.

    Raises `ValueError` for what is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"{value!r} ({type(value).__name__}) is no exact number; write it as a string")
    if isinstance(value, str) and not _NUMBER.fullmatch(value := value.strip()):
        raise ValueError(f"{value!r} is not a number")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def plain_decimal_from(value: object) -> Decimal:
    """Return the number that a request states: text in plain notation (`"12.34"`) or a whole JSON number.

    Exponents, a plus sign, spaces, digits outside ASCII and JSON numbers with a point raise `ValueError` or
    `TypeError`: one way to write an amount, at every endpoint.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{value!r} ({type(value).__name__}) is not exact; write it as a string")
    if isinstance(value, str) and not (len(value) <= _LONGEST_PLAIN and _PLAIN.fullmatch(value)):
        raise ValueError("not a number in plain notation, such as 12.34")
    if isinstance(value, int) and value.bit_length() > _LONGEST_PLAIN:
        raise ValueError("out of range")
    return Decimal(value)


def excess_digits(amount: Decimal, currency: str) -> str | None:
    """Return what is wrong with an amount that has more digits than its currency, None where it fits."""
    digits = minor_digits(currency)
    if round_to_currency(amount, currency) == amount:
        return None
    if digits == 0:
        return f"{currency} has no decimals. Enter a whole amount"
    return f"{currency} has {digits} decimals. Enter at most {digits} digits after the point"


def is_currency(code: str) -> bool:
    """Whether `code` names money that can be invoiced: an ISO 4217 code with a minor unit."""
    return code in _MINOR_UNITS


def minor_digits(currency: str) -> int:
    """How many digits after the point `currency` (ISO 4217) has."""
    return _MINOR_UNITS.get(currency, 2)


def round_to_currency(amount: Decimal, currency: str) -> Decimal:
    """`amount` rounded half up (away from zero at the half) to the currency's minor unit.

    Raises `ValueError` for an amount that 60 digits cannot hold.
    """
    try:
        return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), context=EXACT)
    except InvalidOperation:
        raise ValueError(f"{amount} is out of range") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in major units of one currency. Amounts of two currencies do not mix."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(f"{self.currency!r} is not an ISO 4217 code")
        object.__setattr__(self, "amount", decimal_from(self.amount))

    def __add__(self, other: Money) -> Money:
        return Money(EXACT.add(self.amount, self._same(other)), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(EXACT.subtract(self.amount, self._same(other)), self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money(EXACT.multiply(self.amount, decimal_from(factor)), self.currency)

    def __neg__(self) -> Money:
        return Money(self.amount.copy_negate(), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def rounded(self) -> Money:
        """To the currency's minor unit, half up."""
        return Money(round_to_currency(self.amount, self.currency), self.currency)

    def __str__(self) -> str:
        return f"{self.rounded().amount} {self.currency}"

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.amount
