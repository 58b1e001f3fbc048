"""All units at the price of the tier that their total falls in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from billing.rating.pricing.exact import ZERO
from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.tiers import Tier, read_tiers, row_of, tiers_to_json
from billing.rating.pricing.values import Charge, Usage


@dataclass(frozen=True, slots=True)
class Volume:
    """Plus that tier's flat amount. Quantity 0 falls in the first tier, whose flat amount is charged then too."""

    type: ClassVar[str] = "volume"
    keys: ClassVar[tuple[str, ...]] = ("type", "tiers")

    tiers: tuple[Tier, ...]

    @classmethod
    def read(cls, fields: ObjectReader) -> Volume:
        return cls(read_tiers(fields, "unit_amount"))

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "tiers": tiers_to_json(self.tiers, "unit_amount")}

    def charge(self, usage: Usage) -> Charge:
        tier = next(tier for tier in self.tiers if tier.holds(usage.quantity))
        return Charge.of([row_of(ZERO, usage.quantity, tier.price, tier.flat_amount)])
