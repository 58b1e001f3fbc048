"""An invoice line as the charges of the FOCUS specification: plain values in, plain values out.

FOCUS wants a cost to be a unit price times a quantity, so that a line of tiers becomes a charge for each tier. What
is billed is rounded once per line, here as there: the charges of a line sum to what the line bills, to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from kernel.money import EXACT, round_to_currency

_ZERO, _ONE = Decimal(0), Decimal(1)
_PLACES = Decimal(1).scaleb(-12)

USAGE, PURCHASE, TAX, CREDIT, ADJUSTMENT = "Usage", "Purchase", "Tax", "Credit", "Adjustment"

#: What grants of a pricing unit paid is a credit; what a minimum, a maximum or an advance adds or takes is neither
#: usage nor a purchase.
_CATEGORY_OF_REASON = {"credits": CREDIT}


@dataclass(frozen=True, slots=True)
class Charge:
    """One row of Cost and Usage. `list_cost` is `unit_price` times `priced`, exactly, where there is a unit price."""

    category: str
    list_cost: Decimal
    billed: Decimal = _ZERO
    priced: Decimal | None = None
    consumed: Decimal | None = None
    unit_price: Decimal | None = None
    #: Tells the tiers and the cells of one price apart; None where no unit price is.
    tier: str | None = None
    agent: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What an agent, with a model, used of a line's quantity."""

    agent: str | None
    model: str | None
    quantity: Decimal


def category_of(kind: str, role: str) -> str:
    """The highest classification of a line."""
    if role in {"settlement", "billed_before"}:
        return ADJUSTMENT
    return USAGE if kind == "usage" else PURCHASE


def charges_of_line(
    *,
    kind: str,
    role: str,
    quantity: Decimal,
    unit_amount: Decimal | None,
    unit_rate: Decimal | None,
    amount: Decimal,
    discount: Decimal,
    currency: str,
    breakdown: Sequence[Mapping[str, Any]],
    shares: Sequence[Share] = (),
) -> list[Charge]:
    """The charges of a line, in order; what they bill sums to `amount` less `discount`. `shares` sum to `quantity`."""
    parts = _parts(breakdown, unit_rate or _ONE) if kind == "usage" and role == "charge" else []
    if not parts or round_to_currency(_sum(parts), currency) != amount:
        parts = [_whole(kind, role, quantity, unit_amount, amount, currency)]
    if len(parts) == 1 and parts[0].category == USAGE:
        parts = _shared(replace(parts[0], consumed=quantity), shares)
    return _billed(parts, EXACT.subtract(amount, discount), amount, currency)


def _parts(breakdown: Sequence[Mapping[str, Any]], rate: Decimal) -> list[Charge]:
    """A charge for each part of a breakdown that has units or an amount."""
    found = []
    for row in breakdown:
        units, amount = Decimal(row["quantity"]), EXACT.multiply(Decimal(row["amount"]), rate)
        if reason := row.get("reason"):
            found.append(Charge(_CATEGORY_OF_REASON.get(reason, ADJUSTMENT), amount))
        elif units or amount:
            found.append(_priced(row, units, amount, rate))
    tiers = len([one for one in found if one.category == USAGE])
    return [replace(one, tier="") if one.tier is not None and tiers == 1 else one for one in found]


def _priced(row: Mapping[str, Any], units: Decimal, amount: Decimal, rate: Decimal) -> Charge:
    group = row.get("group") or {}
    tier = ",".join([f"from {row['from']}", *(f"{name}={value}" for name, value in sorted(group.items()))])
    charge = Charge(
        USAGE, amount, consumed=units, tier=tier, agent=group.get("agent"), model=group.get("model"),
        priced=_ONE, unit_price=amount,
    )  # fmt: skip
    by_unit = row.get("unit_amount") is not None and units and not Decimal(row.get("flat_amount") or 0)
    if by_unit:
        unit_price = EXACT.multiply(Decimal(row["unit_amount"]), rate)
        charge = replace(charge, priced=units, unit_price=unit_price)
    return charge


def _whole(
    kind: str, role: str, quantity: Decimal, unit_amount: Decimal | None, amount: Decimal, currency: str
) -> Charge:
    """A line as one charge: its quantity at its unit price where that comes to the amount, else one of the amount."""
    category = category_of(kind, role)
    if category == ADJUSTMENT:
        return Charge(category, amount)
    priced, unit_price = (_ONE if amount >= 0 else -_ONE), abs(amount)
    if unit_amount is not None and unit_amount >= 0:
        product = EXACT.multiply(quantity, unit_amount)
        if round_to_currency(product, currency) == amount:
            priced, unit_price = quantity, unit_amount
    return Charge(
        category,
        EXACT.multiply(priced, unit_price),
        priced=priced,
        unit_price=unit_price,
        consumed=quantity if category == USAGE else None,
        tier="",
    )


def _shared(whole: Charge, shares: Sequence[Share]) -> list[Charge]:
    """A charge for each share, of the priced quantity in proportion to what was used; the last has what is left."""
    used = EXACT.create_decimal(0)
    for one in shares:
        used = EXACT.add(used, one.quantity)
    if not shares or used != whole.consumed or not used or whole.priced is None or whole.unit_price is None:
        return [whole]
    found, left = [], whole.priced
    for place, share in enumerate(shares):
        priced = left
        if place < len(shares) - 1:
            exact = EXACT.divide(EXACT.multiply(whole.priced, share.quantity), used)
            priced = share.quantity if whole.priced == used else exact.quantize(_PLACES, ROUND_DOWN, EXACT)
            left = EXACT.subtract(left, priced)
        cost = EXACT.multiply(priced, whole.unit_price)
        found.append(
            replace(whole, list_cost=cost, priced=priced, consumed=share.quantity, agent=share.agent, model=share.model)
        )
    return found


def _billed(parts: Sequence[Charge], net: Decimal, amount: Decimal, currency: str) -> list[Charge]:
    """What each part bills: its cost less its part of the discount, rounded; the largest takes what rounding left."""
    largest = max(range(len(parts)), key=lambda place: abs(parts[place].list_cost))
    ratio = EXACT.divide(net, amount) if amount else _ZERO
    billed = [round_to_currency(EXACT.multiply(part.list_cost, ratio), currency) for part in parts]
    others = _ZERO
    for place, one in enumerate(billed):
        if place != largest:
            others = EXACT.add(others, one)
    billed[largest] = EXACT.subtract(net, others)
    return [replace(part, billed=one) for part, one in zip(parts, billed, strict=True)]


def _sum(parts: Sequence[Charge]) -> Decimal:
    total = _ZERO
    for part in parts:
        total = EXACT.add(total, part.list_cost)
    return total
