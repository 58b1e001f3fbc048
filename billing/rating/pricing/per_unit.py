"""Every unit at the same price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from billing.rating.pricing.exact import ZERO, plain
from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.tiers import row_of
from billing.rating.pricing.values import Charge, Usage


@dataclass(frozen=True, slots=True)
class PerUnit:
    """`unit_amount` a unit; a part of a unit costs its part."""

    type: ClassVar[str] = "per_unit"
    keys: ClassVar[tuple[str, ...]] = ("type", "unit_amount")

    unit_amount: Decimal

    @classmethod
    def read(cls, fields: ObjectReader) -> PerUnit:
        return cls(fields.price("unit_amount"))

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "unit_amount": plain(self.unit_amount)}

    def charge(self, usage: Usage) -> Charge:
        return Charge.of([row_of(ZERO, usage.quantity, self.unit_amount)])
