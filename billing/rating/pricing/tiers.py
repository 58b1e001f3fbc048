"""Tiers: what graduated, volume and graduated_percentage prices have in common.

A tier takes the units after the tier before it, up to and including `up_to`; the last one is open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.rating.pricing.exact import ZERO, add, multiply, plain, subtract
from billing.rating.pricing.reading import ObjectReader, Problems, child
from billing.rating.pricing.values import BreakdownRow

MOST_TIERS = 1000


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and including `up_to` (None: all above) at `price` each (a unit amount, or a rate in percent)."""

    up_to: Decimal | None
    price: Decimal
    flat_amount: Decimal = ZERO

    def holds(self, quantity: Decimal) -> bool:
        """Whether `quantity` does not go beyond this tier."""
        return self.up_to is None or quantity <= self.up_to


def read_tiers(fields: ObjectReader, price_key: str) -> tuple[Tier, ...]:
    """The tiers at `tiers`: `up_to` strictly ascending and null for the last one, and for that only."""
    items = fields.items("tiers", most=MOST_TIERS)
    pointer = child(fields.pointer, "tiers")
    tiers: list[Tier] = []
    for index, item in enumerate(items):
        reader = ObjectReader(item, fields.problems, pointer=child(pointer, index))
        reader.only(("up_to", price_key, "flat_amount"))
        tiers.append(Tier(reader.price_or_null("up_to"), reader.price(price_key), reader.price("flat_amount", ZERO)))
    if not fields.problems.errors:
        _check_order(tiers, fields.problems, pointer)
    return tuple(tiers)


def tiers_to_json(tiers: Sequence[Tier], price_key: str) -> list[dict[str, object]]:
    return [
        {
            "up_to": None if tier.up_to is None else plain(tier.up_to),
            price_key: plain(tier.price),
            "flat_amount": plain(tier.flat_amount),
        }
        for tier in tiers
    ]


def graduated_rows(tiers: Sequence[Tier], quantity: Decimal) -> Iterator[BreakdownRow]:
    """One row for each tier that `quantity` reaches; the first is always reached."""
    lower = ZERO
    for index, tier in enumerate(tiers):
        if index and quantity <= lower:
            return
        upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
        yield row_of(lower, upper, tier.price, tier.flat_amount)
        lower = upper


def row_of(lower: Decimal, upper: Decimal, unit_amount: Decimal, flat_amount: Decimal = ZERO) -> BreakdownRow:
    """The units after `lower` up to `upper` at `unit_amount` each, plus `flat_amount`."""
    units = subtract(upper, lower)
    amount = add(multiply(units, unit_amount), flat_amount)
    return BreakdownRow(lower, upper, units, unit_amount, flat_amount, amount)


def _check_order(tiers: Sequence[Tier], problems: Problems, pointer: str) -> None:
    before: Decimal | None = None
    for index, tier in enumerate(tiers):
        at = child(child(pointer, index), "up_to")
        is_last = index == len(tiers) - 1
        if is_last != (tier.up_to is None):
            detail = "the last tier is open: its up_to is null" if is_last else "only the last tier may be open"
            problems.add(at, "last_tier_not_open" if is_last else "open_tier_not_last", detail)
        elif tier.up_to is not None and before is not None and tier.up_to <= before:
            problems.add(at, "tiers_not_ascending", f"{plain(tier.up_to)} is not above {plain(before)}")
        before = tier.up_to
