"""A percentage of a summed amount, plus a fixed amount for each event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from billing.rating.pricing.exact import ZERO, multiply, percent, plain
from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.tiers import row_of
from billing.rating.pricing.values import BreakdownRow, Charge, Usage, UsageInvalid
from kernel.errors import FieldError


@dataclass(frozen=True, slots=True)
class Percentage:
    """`rate` percent of what the quantity (a sum of money) has beyond `free_units`.

    `fixed_amount` is charged for every event, those within the free units too. Raises `UsageInvalid`
    where there is a fixed amount and nobody knows the number of events.
    """

    type: ClassVar[str] = "percentage"
    keys: ClassVar[tuple[str, ...]] = ("type", "rate", "fixed_amount", "free_units")

    rate: Decimal
    fixed_amount: Decimal = ZERO
    free_units: Decimal = ZERO

    @classmethod
    def read(cls, fields: ObjectReader) -> Percentage:
        return cls(fields.price("rate"), fields.price("fixed_amount", ZERO), fields.price("free_units", ZERO))

    def to_json(self) -> dict[str, object]:
        return {
            "type": self.type,
            "rate": plain(self.rate),
            "fixed_amount": plain(self.fixed_amount),
            "free_units": plain(self.free_units),
        }

    def charge(self, usage: Usage) -> Charge:
        return Charge.of(self._rows(usage))

    def _rows(self, usage: Usage) -> Iterator[BreakdownRow]:
        free = min(usage.quantity, self.free_units)
        if free:
            yield row_of(ZERO, free, ZERO)
        yield row_of(free, usage.quantity, percent(self.rate), self._for_events(usage.events))

    def _for_events(self, events: int | None) -> Decimal:
        if not self.fixed_amount:
            return ZERO
        if events is None:
            detail = "a percentage price with a fixed amount per event needs the number of events"
            raise UsageInvalid(detail, errors=[FieldError("/events", "required", detail)])
        return multiply(Decimal(events), self.fixed_amount)
