"""How numbers and days are written for people: separators, a currency's sign, no needless digits.

In the reader's way (`console.reader`), and else as the examples here are.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from console.reader import day_in, day_of_year_in, month_in, months_in, reader
from kernel.money import EXACT, minor_digits, round_to_currency

MINUS = "\u2212"
DASH = "\u2013"
TIMES = "\u00d7"

ELLIPSIS = "\u2026"

#: Prices and amounts that somebody chose have no more decimal places than this.
_MOST_PLACES, _PLACES_SHOWN = 12, 6

#: What stands where there is no value.
NOTHING = DASH

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}


def sign_of(currency: str) -> str:
    """What stands before an amount: `$`, or the code and a space where a currency has no sign of its own."""
    return _SIGNS.get(currency, f"{currency}\u00a0")


def money(amount: Decimal, currency: str) -> str:
    """An amount in its currency's digits: `$1,234.50`, and a real minus sign below zero."""
    return _signed(round_to_currency(amount, currency), currency)


def taken_off(amount: Decimal, currency: str) -> str:
    """What is taken off a sum, as `money` with a minus; what is added to it (a negative amount) without one."""
    return money(-amount, currency)


def exact_money(amount: Decimal, currency: str) -> str:
    """An amount with all the digits it has, at least its currency's: `$0.05`, `$0.000012`, `$49.00`. What a division
    left, such as `$67.064516…`, is cut to what can be read."""
    plain, more = _readable(amount)
    places = -int(plain.as_tuple().exponent)
    if places <= minor_digits(currency) and not more:
        return money(amount, currency)
    return _signed(plain, currency) + more


def small_money(amount: Decimal, currency: str) -> str:
    """An amount for a dashboard: two digits, or the first two that are not zero where it is below a cent."""
    if amount == 0 or abs(amount) >= Decimal("0.01"):
        return money(amount, currency)
    places = 1 - amount.adjusted()
    return _signed(amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP), currency)


def quantity(value: Decimal) -> str:
    """Every digit, with thousands separators and no zeros at the end: `1,229`, `0.74`. What a division left, such as
    `386.129032…`, is cut to what can be read."""
    plain, more = _readable(value)
    if language := reader():
        return language.number(plain) + more
    return format(plain, ",f").replace("-", MINUS) + more if value else "0"


def rounded(value: Decimal) -> str:
    """For reading at a glance: whole from 1,000 on, else two decimals at most."""
    places = 0 if abs(value) >= 1000 else 2
    return quantity(value.quantize(Decimal(1).scaleb(-places), context=EXACT))


def percent(part: Decimal, whole: Decimal) -> str:
    """`part` of `whole` in percent with one decimal, a dash where there is no whole."""
    if not whole:
        return NOTHING
    rate = (part * 100 / whole).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    if language := reader():
        return language.percent(rate.scaleb(-2), digits=1)
    return f"{rate}%".replace("-", MINUS)


def day(value: date) -> str:
    """Such as `1 Oct 2026`."""
    language = reader()
    return day_in(language, value) if language else value.strftime("%-d %b %Y")


def day_of_year(value: date) -> str:
    """A day without its year: `1 Oct`."""
    language = reader()
    return day_of_year_in(language, value) if language else value.strftime("%-d %b")


def days(first: date, last: date) -> str:
    """From a day to a day, both counted: `1 Oct - 31 Oct 2026`."""
    if first == last:
        return day(last)
    if language := reader():
        return language.between(first, last)
    begin = day_of_year(first) if first.year == last.year else day(first)
    return f"{begin} {DASH} {day(last)}"


def month(value: date) -> str:
    """Such as `Oct 2026`."""
    language = reader()
    return month_in(language, value) if language else value.strftime("%b %Y")


def month_named(value: object) -> str:
    """A month that is written `2026-10`, in the reader's way."""
    year, _, number = str(value).partition("-")
    return month(date(int(year), int(number), 1))


def months(first: date, last: date) -> str:
    """From a month to a month, both counted: `Sep 2026 - Nov 2026`."""
    if (first.year, first.month) == (last.year, last.month):
        return month(first)
    language = reader()
    return months_in(language, first, last) if language else f"{month(first)} {DASH} {month(last)}"


def _readable(value: Decimal) -> tuple[Decimal, str]:
    """The number, and an ellipsis where it has more places than any price has and was cut."""
    plain = value.normalize(EXACT)
    if -int(plain.as_tuple().exponent) <= _MOST_PLACES:
        return plain, ""
    return plain.quantize(Decimal(1).scaleb(-_PLACES_SHOWN), rounding=ROUND_DOWN, context=EXACT), ELLIPSIS


def _signed(amount: Decimal, currency: str) -> str:
    if language := reader():
        return language.exact_money(amount, currency, digits=-int(amount.as_tuple().exponent))
    minus = MINUS if amount < 0 else ""
    return f"{minus}{sign_of(currency)}{abs(amount):,f}"
