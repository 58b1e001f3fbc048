"""Units sold by the package, each begun one charged in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from billing.rating.pricing.exact import ZERO, begun, multiply, plain, subtract
from billing.rating.pricing.reading import ObjectReader, child
from billing.rating.pricing.tiers import row_of
from billing.rating.pricing.values import BreakdownRow, Charge, Usage


@dataclass(frozen=True, slots=True)
class Package:
    """`package_amount` for every `package_size` units begun beyond the first `free_units`."""

    type: ClassVar[str] = "package"
    keys: ClassVar[tuple[str, ...]] = ("type", "package_size", "package_amount", "free_units")

    package_size: Decimal
    package_amount: Decimal
    free_units: Decimal = ZERO

    @classmethod
    def read(cls, fields: ObjectReader) -> Package:
        sound = len(fields.problems.errors)
        size = fields.price("package_size")
        if not size and len(fields.problems.errors) == sound:
            fields.problems.add(
                child(fields.pointer, "package_size"), "not_positive", "a package holds more than nothing"
            )
        return cls(size, fields.price("package_amount"), fields.price("free_units", ZERO))

    def to_json(self) -> dict[str, object]:
        return {
            "type": self.type,
            "package_size": plain(self.package_size),
            "package_amount": plain(self.package_amount),
            "free_units": plain(self.free_units),
        }

    def charge(self, usage: Usage) -> Charge:
        return Charge.of(self._rows(usage.quantity))

    def _rows(self, quantity: Decimal) -> Iterator[BreakdownRow]:
        free = min(quantity, self.free_units)
        if free:
            yield row_of(ZERO, free, ZERO)
        units = subtract(quantity, free)
        if units or not free:
            amount = multiply(begun(units, self.package_size), self.package_amount)
            yield BreakdownRow(free, quantity, units, None, amount, amount)
