"""Arithmetic that is exact or fails, and the one way a decimal is written.

All of it in the 60 digits of `kernel.money.EXACT`. A sum or product that does not fit raises
`AmountOutOfRange` instead of losing a digit in silence. Only `share` divides.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, Inexact, InvalidOperation
from fractions import Fraction
from functools import reduce
from typing import NoReturn

from kernel.errors import InvalidError
from kernel.money import EXACT

ZERO = Decimal(0)

#: Decimal places that a quotient keeps where it does not end.
QUOTIENT_PLACES = 24

#: No amount of a line is greater, so that the sums of an invoice, and of the ledger, are exact.
GREATEST_AMOUNT = Decimal(10) ** 18

_STRICT = EXACT.copy()
_STRICT.traps[Inexact] = True


class AmountOutOfRange(InvalidError):
    """Quantity and price multiply to more digits than an amount can have (60)."""

    code = "amount_out_of_range"


def bounded(amount: Decimal) -> Decimal:
    """`amount`, where a line can hold it; raises `AmountOutOfRange` otherwise."""
    if abs(amount) > GREATEST_AMOUNT:
        raise AmountOutOfRange(f"An amount is at most {GREATEST_AMOUNT}")
    return amount


def add(left: Decimal, right: Decimal) -> Decimal:
    try:
        return _STRICT.add(left, right)
    except Inexact:
        _out_of_range()


def subtract(left: Decimal, right: Decimal) -> Decimal:
    try:
        return _STRICT.subtract(left, right)
    except Inexact:
        _out_of_range()


def multiply(left: Decimal, right: Decimal) -> Decimal:
    try:
        return _STRICT.multiply(left, right)
    except Inexact:
        _out_of_range()


def total(amounts: Iterable[Decimal]) -> Decimal:
    return reduce(add, amounts, ZERO)


def begun(quantity: Decimal, size: Decimal) -> Decimal:
    """How many packages of `size` are begun by `quantity` (a whole number)."""
    try:
        full, rest = EXACT.divmod(quantity, size)
    except InvalidOperation:
        _out_of_range()
    return add(full, Decimal(1)) if rest else full


def percent(rate: Decimal) -> Decimal:
    """The factor that `rate` percent is: 2.9 is 0.029."""
    return rate.scaleb(-2, context=EXACT)


def share(value: Decimal, fraction: Fraction) -> Decimal:
    """`fraction` of `value`: multiplied first, then divided once, to 24 decimal places at most (half up)."""
    product = multiply(value, Decimal(fraction.numerator))
    if fraction.denominator == 1:
        return product
    quotient = EXACT.divide(product, Decimal(fraction.denominator))
    finest = Decimal(1).scaleb(-QUOTIENT_PLACES)
    try:
        rounded = quotient.quantize(finest, context=EXACT)
    except InvalidOperation:
        _out_of_range()
    return quotient if quotient == rounded else rounded


def plain(number: Decimal) -> str:
    """`number` without exponent, trailing zeros or a minus before zero: `0.50` is written `0.5`, `1E+3` `1000`."""
    return format(number.normalize(EXACT), "f") if number else "0"


def _out_of_range() -> NoReturn:
    raise AmountOutOfRange("the amount has more than 60 digits, so it cannot be worked out exactly")
