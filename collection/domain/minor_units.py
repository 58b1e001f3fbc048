"""Amounts as Stripe writes them: whole numbers of a currency's smallest unit, by Stripe's own table.

It differs from ISO 4217 where a currency's coins changed after Stripe had begun with it. Source:
https://docs.stripe.com/currencies ("Minor units in API amounts" and "Special cases").
"""

from __future__ import annotations

from decimal import Decimal

from kernel.errors import InvalidError
from kernel.money import EXACT

#: The API takes major units.
_ZERO = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
#: Thousandths, of which the last digit must be 0.
_THREE = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
#: Written with two digits, which must be 00: these currencies have no coins below one any more.
_WHOLE_IN_HUNDREDTHS = frozenset(["ISK", "UGX"])


class AmountNotChargeable(InvalidError):
    """The provider cannot move exactly this amount in this currency."""

    code = "amount_not_chargeable"


def to_minor_units(amount: Decimal, currency: str) -> int:
    """`amount` (major units) as a whole number for Stripe. Raises `AmountNotChargeable` where it cannot be exact."""
    units = EXACT.multiply(amount, Decimal(_factor(currency)))
    step = 100 if currency in _WHOLE_IN_HUNDREDTHS else 10 if currency in _THREE else 1
    if units != units.to_integral_value() or int(units) % step:
        raise AmountNotChargeable(f"Stripe moves no such amount as {amount} {currency}")
    return int(units)


def from_minor_units(units: int, currency: str) -> Decimal:
    """Stripe's whole number as an amount in major units, with the currency's digits."""
    currency = currency.upper()
    digits = {1: 0, 100: 2, 1000: 3}[_factor(currency)]
    return Decimal(units).scaleb(-digits, context=EXACT)


def _factor(currency: str) -> int:
    return 1 if currency in _ZERO else 1000 if currency in _THREE else 100
