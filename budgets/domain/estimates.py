"""What a quantity that is yet to be used can cost at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

from kernel.money import EXACT, decimal_from

ZERO = Decimal(0)


def dearest(model: Mapping[str, object], quantity: Decimal) -> Decimal | None:
    """The most that `quantity` more units can add to what a pricing model (its JSON) charges.

    None where that cannot be said from the quantity alone: percentages go by amounts, a volume price changes what
    earlier units cost, and so does a tier with an amount of its own.
    """
    kind = model.get("type")
    if kind == "flat":
        return ZERO
    if kind == "per_unit":
        return EXACT.multiply(_number(model["unit_amount"]), quantity)
    if kind == "package":
        packages = (quantity / _number(model["package_size"])).to_integral_value(ROUND_CEILING)
        return EXACT.multiply(packages, _number(model["package_amount"]))
    if kind == "graduated":
        tiers = _rows(model["tiers"])
        if any(_number(tier.get("flat_amount") or "0") for tier in tiers):
            return None
        return EXACT.multiply(max(_number(tier["unit_amount"]) for tier in tiers), quantity)
    if kind == "matrix":
        prices = [_number(cell["unit_amount"]) for cell in _rows(model["cells"])]
        if model.get("default_unit_amount") is not None:
            prices.append(_number(model["default_unit_amount"]))
        return EXACT.multiply(max(prices), quantity)
    return None


def _number(value: object) -> Decimal:
    return decimal_from(value)


def _rows(value: object) -> Sequence[Mapping[str, object]]:
    assert isinstance(value, Sequence), "a stored pricing model was read before"
    return value
