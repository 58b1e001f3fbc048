"""From usage to an invoice line's amount: the whole of a price, and the only place that rounds it.

The order is always the same, and every step is kept as data (`RatedLine.steps`):

1. *included*: so many units are taken off the quantity before anything is priced;
2. *prepaid*: so are the units that credit grants of the meter pay;
3. the pricing model, on what remains (its tiers count from there);
4. *minimum*: at least so much; 5. *maximum*: at most so much;
6. *proration* of a fixed or seat fee for a part of a period;
7. of a price in a pricing unit, *credits*: less the units that credit grants pay; 8. *conversion* to money;
9. *rounding*, once, half up, to the currency's minor unit.

A price with a `unit_rate` is in a pricing unit: its model, minimum and maximum, and so all amounts of steps 3 to 7
and of the breakdown, are in that unit.

For a part of a period, a fixed or seat price is prorated as a whole (step 6). A usage price is not, since
usage shrinks with time on its own: its included units, minimum and maximum are. Tiers, packages and flat
amounts inside a usage price's model never are. A price with `prorate` false is as for a whole period.

Usage that is less than nothing is refused. A correction is not priced on its own, because tiers and packages
have no price for "less": rate the corrected usage, and bill the difference to what was billed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from billing.rating.pricing import PricingModel, calculate
from billing.rating.pricing.exact import ZERO, multiply, plain, share, subtract
from billing.rating.pricing.matrix import Matrix
from billing.rating.pricing.values import BreakdownRow, Charge, Usage
from kernel.money import round_to_currency

Kind = Literal["fixed", "seat", "usage"]


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """What of a price decides an amount. `included` is in units of what is counted, `minimum` and `maximum` in the
    plan's currency, or in the pricing unit that is worth `unit_rate` of it."""

    kind: Kind
    model: PricingModel
    included: Decimal = ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    prorate: bool = True
    unit_rate: Decimal | None = None


StepKind = Literal[
    "included", "prepaid", "pricing", "minimum", "maximum", "proration", "credits", "conversion", "rounding"
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step from quantity to amount. `before` and `after` are quantities up to `pricing`'s before, then amounts (in
    the pricing unit up to `conversion`'s before, where there is one); `setting` is what the price says (a number, a
    model's type or a fraction such as 32/91), or what grants pay."""

    kind: StepKind
    setting: str
    before: Decimal
    after: Decimal

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "setting": self.setting, "before": plain(self.before), "after": plain(self.after)}


@dataclass(frozen=True, slots=True)
class RatedLine:
    """What a price comes to over a period.

    `quantity` is all that was used, included units too. `amount_exact` is what it comes to before rounding;
    `amount` is what is billed. `unit_amount` is set where all charged units have one price. The breakdown sums to
    `units` where the price is in a pricing unit, and to `amount_exact` otherwise.
    """

    quantity: Decimal
    amount_exact: Decimal
    amount: Decimal
    unit_amount: Decimal | None
    breakdown: tuple[BreakdownRow, ...]
    steps: tuple[Step, ...]
    #: In the pricing unit, less what `credits` paid; None for a price in money.
    units: Decimal | None = None


def rate(
    price: PriceTerms,
    usage: Usage,
    *,
    currency: str,
    fraction: Fraction | Decimal | int = Fraction(1),
    prepaid: Decimal = ZERO,
    credits: Decimal = ZERO,
) -> RatedLine:
    """The line of `price` for `usage`, over `fraction` (0 to 1) of a billing period.

    A fixed price's usage is one unit, a seat price's the number of seats. Grants pay up to `prepaid` of what is
    counted, and up to `credits` of the pricing unit. Raises what `calculate` raises, and `ValueError` for a
    fraction outside 0 to 1.
    """
    of_limits, of_fee = _parts(price, fraction)
    steps: list[Step] = []
    billable = usage
    if price.included:
        included = share(price.included, of_limits)
        billable = less_included(price.model, usage, included)
        steps.append(Step("included", plain(included), usage.quantity, billable.quantity))
    if prepaid:
        unpaid = less_included(price.model, billable, prepaid)
        steps.append(Step("prepaid", plain(prepaid), billable.quantity, unpaid.quantity))
        billable = unpaid
    charge = calculate(price.model, billable)
    unit_amount = _one_unit_amount(charge)
    steps.append(Step("pricing", price.model.type, billable.quantity, charge.amount))

    for step in _adjustments(price, charge.amount, of_limits, of_fee, credits):
        steps.append(step)
        if step.after != step.before:
            charge = charge.plus(_adjustment_row(step, billable.quantity))
    exact = charge.amount
    if price.unit_rate is not None:
        exact = multiply(charge.amount, price.unit_rate)
        steps.append(Step("conversion", plain(price.unit_rate), charge.amount, exact))
    amount = round_to_currency(exact, currency)
    steps.append(Step("rounding", currency, exact, amount))
    units = None if price.unit_rate is None else charge.amount
    return RatedLine(usage.quantity, exact, amount, unit_amount, charge.breakdown, tuple(steps), units)


def billable_usage(price: PriceTerms, usage: Usage, *, fraction: Fraction | Decimal | int = Fraction(1)) -> Usage:
    """What of `usage` is beyond the included units: what grants of the meter may pay (`prepaid`)."""
    of_limits, _ = _parts(price, fraction)
    return less_included(price.model, usage, share(price.included, of_limits)) if price.included else usage


def _parts(price: PriceTerms, fraction: Fraction | Decimal | int) -> tuple[Fraction, Fraction]:
    """What part of its limits, and of its fee, a price has over `fraction` of a period."""
    if not 0 <= Fraction(fraction) <= 1:
        raise ValueError(f"{fraction} is no part of a period")
    part = Fraction(fraction) if price.prorate else Fraction(1)
    return (part, Fraction(1)) if price.kind == "usage" else (Fraction(1), part)


def less_included(model: PricingModel, usage: Usage, units: Decimal) -> Usage:
    """`usage` less so many included units, never below 0.

    A matrix price takes them from its dearest group first (`Matrix.without`); to every other model
    groups make no difference. The number of events stays.
    """
    if isinstance(model, Matrix):
        return model.without(usage, units)
    return replace(usage, quantity=subtract(usage.quantity, min(units, usage.quantity)), groups=())


def _adjustments(
    price: PriceTerms, amount: Decimal, of_limits: Fraction, of_fee: Fraction, credits: Decimal
) -> Iterator[Step]:
    if price.minimum is not None:
        minimum = share(price.minimum, of_limits)
        yield Step("minimum", plain(minimum), amount, max(amount, minimum))
        amount = max(amount, minimum)
    if price.maximum is not None:
        maximum = share(price.maximum, of_limits)
        yield Step("maximum", plain(maximum), amount, min(amount, maximum))
        amount = min(amount, maximum)
    if of_fee != 1:
        before, amount = amount, share(amount, of_fee)
        yield Step("proration", str(of_fee), before, amount)
    if credits and price.unit_rate is not None:
        yield Step("credits", plain(credits), amount, subtract(amount, min(credits, amount)))


def _adjustment_row(step: Step, quantity: Decimal) -> BreakdownRow:
    assert step.kind in ("minimum", "maximum", "proration", "credits")
    difference = subtract(step.after, step.before)
    return BreakdownRow(quantity, quantity, ZERO, None, difference, difference, reason=step.kind)


def _one_unit_amount(charge: Charge) -> Decimal | None:
    prices = {row.unit_amount for row in charge.breakdown}
    return prices.pop() if len(prices) == 1 else None
