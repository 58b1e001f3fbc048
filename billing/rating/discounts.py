"""What coupons take off the lines of an invoice, to the minor unit.

Percentages first, in the order in which they were redeemed, each of what the ones before it left, rounded half up
per line. Then amounts, in that order too: each takes at most what is left of it for the billing period, spread over
the period's lines in proportion to what is left of them, by largest remainder, so that the parts sum to it exactly.
So a coupon for $10 takes $10 off what is actually paid, and 10 % is 10 % of the price that is printed.

No line becomes less than nothing. A line that takes back or repeats a part of an earlier one is discounted as that
one was, in proportion (`in_proportion`), whatever holds today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.rating.pricing.exact import ZERO, multiply, percent, share, subtract, total
from kernel.money import minor_digits, round_to_currency


@dataclass(frozen=True, slots=True)
class Offer:
    """One coupon on the lines of one billing period: so many `percent`, or at most `amount`."""

    percent: Decimal | None = None
    amount: Decimal | None = None


def take_off(amounts: Sequence[Decimal], offers: Sequence[Offer], *, currency: str) -> list[list[Decimal]]:
    """What each of `offers` takes off each of `amounts` (rounded to the currency): a list by line for each offer.

    `offers` are in the order of their redemption. Lines of nothing or less are left alone.
    """
    left = [max(amount, ZERO) for amount in amounts]
    taken = [[ZERO] * len(left) for _ in offers]
    for kind in ("percent", "amount"):
        for index, offer in enumerate(offers):
            if kind == "percent" and offer.percent is not None:
                taken[index] = [_part(line, offer.percent, currency) for line in left]
            elif kind == "amount" and offer.amount is not None:
                taken[index] = spread(min(offer.amount, total(left)), left, currency=currency)
            else:
                continue
            left = [subtract(line, off) for line, off in zip(left, taken[index], strict=True)]
    return taken


def spread(amount: Decimal, weights: Sequence[Decimal], *, currency: str) -> list[Decimal]:
    """`amount` (rounded to the currency, not negative) in parts by `weights` that sum to it exactly.

    By largest remainder: every part is rounded down to the minor unit, and those that lost most by it get one unit
    more; of equals, the earlier. Nothing is spread over no weight.
    """
    whole = sum((Fraction(weight) for weight in weights), Fraction(0))
    if amount <= 0 or not whole:
        return [ZERO] * len(weights)
    unit = Decimal(1).scaleb(-minor_digits(currency))
    units = int(Fraction(amount) / Fraction(unit))
    exact = [units * Fraction(weight) / whole for weight in weights]
    parts = [int(part) for part in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: (parts[index] - exact[index], index))
    for index in by_remainder[: units - sum(parts)]:
        parts[index] += 1
    return [multiply(unit, Decimal(part)) for part in parts]


def in_proportion(amount: Decimal, *, discount: Decimal, of: Decimal, currency: str) -> Decimal:
    """The part of an earlier line's `discount` (it came to `of`) that belongs to `amount` of it; signed as `amount`."""
    if not of or not discount:
        return ZERO
    return round_to_currency(share(discount, Fraction(amount) / Fraction(of)), currency)


def _part(line: Decimal, rate: Decimal, currency: str) -> Decimal:
    return min(line, round_to_currency(multiply(line, percent(rate)), currency))
