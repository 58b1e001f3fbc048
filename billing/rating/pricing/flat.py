"""A fixed amount, whatever the quantity."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from billing.rating.pricing.exact import ZERO, plain
from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.values import BreakdownRow, Charge, Usage


@dataclass(frozen=True, slots=True)
class Flat:
    """`amount` for the period, also at quantity 0."""

    type: ClassVar[str] = "flat"
    keys: ClassVar[tuple[str, ...]] = ("type", "amount")

    amount: Decimal

    @classmethod
    def read(cls, fields: ObjectReader) -> Flat:
        return cls(fields.price("amount"))

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "amount": plain(self.amount)}

    def charge(self, usage: Usage) -> Charge:
        quantity = usage.quantity
        return Charge.of([BreakdownRow(ZERO, quantity, quantity, None, self.amount, self.amount)])
