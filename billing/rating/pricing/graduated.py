"""Each unit at the price of its own tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.tiers import Tier, graduated_rows, read_tiers, tiers_to_json
from billing.rating.pricing.values import Charge, Usage


@dataclass(frozen=True, slots=True)
class Graduated:
    """A tier's flat amount is charged once a unit falls in it; the first tier's also at quantity 0."""

    type: ClassVar[str] = "graduated"
    keys: ClassVar[tuple[str, ...]] = ("type", "tiers")

    tiers: tuple[Tier, ...]

    @classmethod
    def read(cls, fields: ObjectReader) -> Graduated:
        return cls(read_tiers(fields, "unit_amount"))

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "tiers": tiers_to_json(self.tiers, "unit_amount")}

    def charge(self, usage: Usage) -> Charge:
        return Charge.of(graduated_rows(self.tiers, usage.quantity))
