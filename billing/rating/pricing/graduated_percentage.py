"""A percentage of each part of an amount, by the tier that the part falls in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from billing.rating.pricing.exact import percent
from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.tiers import Tier, graduated_rows, read_tiers, tiers_to_json
from billing.rating.pricing.values import Charge, Usage


@dataclass(frozen=True, slots=True)
class GraduatedPercentage:
    """As graduated, with a rate in percent for a unit amount; the quantity is a summed amount of money."""

    type: ClassVar[str] = "graduated_percentage"
    keys: ClassVar[tuple[str, ...]] = ("type", "tiers")

    tiers: tuple[Tier, ...]

    @classmethod
    def read(cls, fields: ObjectReader) -> GraduatedPercentage:
        return cls(read_tiers(fields, "rate"))

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "tiers": tiers_to_json(self.tiers, "rate")}

    def charge(self, usage: Usage) -> Charge:
        by_unit = [Tier(tier.up_to, percent(tier.price), tier.flat_amount) for tier in self.tiers]
        return Charge.of(graduated_rows(by_unit, usage.quantity))
