"""What a customer is charged for one task, as far as prices per unit say: nothing is shared out by a key.

A unit price is the same for every unit, so a task's units have an amount of their own. Fees, seats, included units,
tiers, packages, minimums and maximums are about a whole period: what part of them a task "is" would be an allocation,
and none is made. They are named in `left_out`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kernel.money import EXACT, decimal_from

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """The part of a price that decides whether a unit of it has an amount of its own."""

    key: str
    kind: str
    model: Mapping[str, Any]
    included: Decimal = _ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    unit_rate: Decimal | None = None

    @property
    def unit_amount(self) -> Decimal | None:
        """What every unit costs, in the plan's currency; None where that depends on the other units."""
        if self.reason is not None:
            return None
        amount = decimal_from(self.model["unit_amount"])
        return EXACT.multiply(amount, Decimal(1) if self.unit_rate is None else self.unit_rate)

    @property
    def reason(self) -> str | None:
        """Why no unit has an amount of its own; None where each has."""
        if self.kind != "usage":
            return self.kind
        if self.model.get("type") != "per_unit":
            return str(self.model.get("type"))
        if self.included:
            return "included_units"
        if self.minimum is not None or self.maximum is not None:
            return "minimum_or_maximum"
        return None


@dataclass(frozen=True, slots=True)
class ChargeLine:
    price: str
    meter: str
    quantity: Decimal
    unit_amount: Decimal
    amount: Decimal


@dataclass(slots=True)
class Charge:
    """What a task's units come to, exactly and not rounded. `left_out` is (price, reason) of what is about a period."""

    currency: str
    lines: list[ChargeLine] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def amount(self) -> Decimal:
        return sum((line.amount for line in self.lines), _ZERO)
