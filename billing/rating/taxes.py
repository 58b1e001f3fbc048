"""Tax of an invoice's lines: computed per document and rate, or per line, and rounded to the currency.

Per document, the tax of a rate is round(sum of the lines' net amounts x rate), as EN 16931 computes it (BR-CO-17,
BR-S-9), and is spread over the lines of that rate by largest remainder. Per line, each line's tax is rounded by itself,
so the sum may be further from the rate than a cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from billing.rating.pricing.exact import ZERO, add, multiply, subtract, total
from kernel.money import EXACT, minor_digits, round_to_currency


class TaxRounding(StrEnum):
    """Rounding of tax: once per rate of a document, or on every line."""

    DOCUMENT = "document"
    LINE = "line"


def taxes_of(lines: Sequence[tuple[Decimal, Decimal]], *, rounding: str, currency: str) -> list[Decimal]:
    """Return the tax of each line, given as its net amount and its rate (a share of one), in the lines' order.

    Each tax is a whole number of minor units and less than one from its exact value. Per document, the taxes of a rate
    sum to round(sum of net x rate).
    """
    exact = [multiply(net, rate) for net, rate in lines]
    if rounding == TaxRounding.LINE:
        return [round_to_currency(one, currency) for one in exact]
    taxes = [ZERO] * len(lines)
    for rate in {rate for _, rate in lines}:
        places = [place for place, line in enumerate(lines) if line[1] == rate]
        amounts = [exact[place] for place in places]
        bounds = [down_and_up(one, currency) for one in amounts]
        whole = round_to_currency(total(amounts), currency)
        for place, tax in zip(places, spread(whole, amounts, bounds, currency=currency), strict=True):
            taxes[place] = tax
    return taxes


def spread(
    whole: Decimal, exact: Sequence[Decimal], bounds: Sequence[tuple[Decimal, Decimal]], *, currency: str
) -> list[Decimal]:
    """Return `exact` in whole minor units that sum to `whole`, or as near to it as `bounds` (the least and the most of
    each, in minor units) allow, by largest remainder.

    Each is rounded down, and what is then missing goes, a minor unit each, to the largest remainders; of equal ones to
    the largest amount, then to the earlier.
    """
    unit = Decimal(1).scaleb(-minor_digits(currency))
    parts = [min(max(down_and_up(one, currency)[0], low), high) for one, (low, high) in zip(exact, bounds, strict=True)]
    missing = int(EXACT.divide(subtract(whole, total(parts)), unit))
    step = unit if missing > 0 else -unit
    while missing:
        free = [place for place, (low, high) in enumerate(bounds) if low <= add(parts[place], step) <= high]
        free.sort(key=lambda place: (-multiply(step, subtract(exact[place], parts[place])), -abs(exact[place]), place))
        if not free:
            break
        for place in free[: abs(missing)]:
            parts[place] = add(parts[place], step)
            missing -= 1 if missing > 0 else -1
    return parts


def down_and_up(amount: Decimal, currency: str) -> tuple[Decimal, Decimal]:
    """Return `amount` rounded down and up to the currency's minor unit."""
    unit = Decimal(1).scaleb(-minor_digits(currency))
    return (
        amount.quantize(unit, rounding=ROUND_FLOOR, context=EXACT),
        amount.quantize(unit, rounding=ROUND_CEILING, context=EXACT),
    )
