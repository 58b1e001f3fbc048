"""From usage to an invoice line's amount: the whole of a price, and the only place that rounds it.

The order is always the same, and every step is kept as data (`RatedLine.steps`):

1. *included*: so many units are taken off the quantity before anything is priced;
2. the pricing model, on what remains (its tiers count from there);
3. *minimum*: at least so much; 4. *maximum*: at most so much;
5. *proration* of a fixed or seat fee for a part of a period;
6. *rounding*, once, half up, to the currency's minor unit.

For a part of a period, a fixed or seat price is prorated as a whole (step 5). A usage price is not, since
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

from billing.domain.pricing import BreakdownRow, Charge, Matrix, PricingModel, Usage, calculate
from billing.domain.pricing.exact import ZERO, plain, share, subtract
from kernel.money import round_to_currency

Kind = Literal["fixed", "seat", "usage"]


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """What of a price decides an amount. `included` is in units, `minimum` and `maximum` in the plan's currency."""

    kind: Kind
    model: PricingModel
    included: Decimal = ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    prorate: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One step from quantity to amount. `before` and `after` are units for `included` and `pricing`'s before,
    money otherwise; `setting` is what the price says (a number, a model's type or a fraction such as 32/91)."""

    kind: Literal["included", "pricing", "minimum", "maximum", "proration", "rounding"]
    setting: str
    before: Decimal
    after: Decimal

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "setting": self.setting, "before": plain(self.before), "after": plain(self.after)}


@dataclass(frozen=True, slots=True)
class RatedLine:
    """What a price comes to over a period.

    `quantity` is all that was used, included units too. `amount_exact` is the sum of the breakdown, before
    rounding; `amount` is what is billed. `unit_amount` is set where all charged units have one price.
    """

    quantity: Decimal
    amount_exact: Decimal
    amount: Decimal
    unit_amount: Decimal | None
    breakdown: tuple[BreakdownRow, ...]
    steps: tuple[Step, ...]


def rate(
    price: PriceTerms, usage: Usage, *, currency: str, fraction: Fraction | Decimal | int = Fraction(1)
) -> RatedLine:
    """The line of `price` for `usage`, over `fraction` (0 to 1) of a billing period.

    A fixed price's usage is one unit, a seat price's the number of seats. Raises what `calculate` raises,
    and `ValueError` for a fraction outside 0 to 1.
    """
    part = Fraction(fraction) if price.prorate else Fraction(1)
    if not 0 <= Fraction(fraction) <= 1:
        raise ValueError(f"{fraction} is no part of a period")
    of_limits, of_fee = (part, Fraction(1)) if price.kind == "usage" else (Fraction(1), part)

    steps: list[Step] = []
    billable = usage
    if price.included:
        included = share(price.included, of_limits)
        billable = less_included(price.model, usage, included)
        steps.append(Step("included", plain(included), usage.quantity, billable.quantity))
    charge = calculate(price.model, billable)
    unit_amount = _one_unit_amount(charge)
    steps.append(Step("pricing", price.model.type, billable.quantity, charge.amount))

    for step in _adjustments(price, charge.amount, of_limits, of_fee):
        steps.append(step)
        if step.after != step.before:
            charge = charge.plus(_adjustment_row(step, billable.quantity))
    amount = round_to_currency(charge.amount, currency)
    steps.append(Step("rounding", currency, charge.amount, amount))
    return RatedLine(usage.quantity, charge.amount, amount, unit_amount, charge.breakdown, tuple(steps))


def less_included(model: PricingModel, usage: Usage, units: Decimal) -> Usage:
    """`usage` less so many included units, never below 0.

    A matrix price takes them from its dearest group first (`Matrix.without`); to every other model
    groups make no difference. The number of events stays.
    """
    if isinstance(model, Matrix):
        return model.without(usage, units)
    return replace(usage, quantity=subtract(usage.quantity, min(units, usage.quantity)), groups=())


def _adjustments(price: PriceTerms, amount: Decimal, of_limits: Fraction, of_fee: Fraction) -> Iterator[Step]:
    if price.minimum is not None:
        minimum = share(price.minimum, of_limits)
        yield Step("minimum", plain(minimum), amount, max(amount, minimum))
        amount = max(amount, minimum)
    if price.maximum is not None:
        maximum = share(price.maximum, of_limits)
        yield Step("maximum", plain(maximum), amount, min(amount, maximum))
        amount = min(amount, maximum)
    if of_fee != 1:
        yield Step("proration", str(of_fee), amount, share(amount, of_fee))


def _adjustment_row(step: Step, quantity: Decimal) -> BreakdownRow:
    assert step.kind in ("minimum", "maximum", "proration")
    difference = subtract(step.after, step.before)
    return BreakdownRow(quantity, quantity, ZERO, None, difference, difference, reason=step.kind)


def _one_unit_amount(charge: Charge) -> Decimal | None:
    prices = {row.unit_amount for row in charge.breakdown}
    return prices.pop() if len(prices) == 1 else None
