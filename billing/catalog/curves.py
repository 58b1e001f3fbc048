"""What a plan version, or one that is only being written, comes to against usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from billing.catalog.models import PriceKind
from billing.invoicing.parts import terms_of
from billing.models import Price
from billing.rating.curve import Assumed, CurvePrice, Point, draw_curve

ZERO = Decimal(0)


def counted_meters(prices: Iterable[Price]) -> list[str]:
    """The keys of the meters that the prices count, in their order."""
    return list(dict.fromkeys(price.meter.key for price in prices if price.meter))


def price_curve(
    prices: Sequence[Price],
    *,
    meter: str,
    up_to: Decimal,
    currency: str,
    seats: int = 1,
    usage: Mapping[str, Decimal] | None = None,
    event_size: Decimal = Decimal(1),
    at: Mapping[Decimal, bool] | None = None,
) -> list[Point]:
    """The curve of a version's prices (which need not be stored) over usage of the meter with this key, as invoices
    would charge one whole period; raises what `draw_curve` does."""
    commitment = next((Decimal(one.model["amount"]) for one in prices if one.kind == PriceKind.COMMITMENT), ZERO)
    return draw_curve(
        [
            CurvePrice(terms_of(one), one.meter.key if one.meter else None, tuple(sorted(one.filter.items())))
            for one in prices
            if one.kind != PriceKind.COMMITMENT
        ],
        meter=meter,
        up_to=up_to,
        currency=currency,
        commitment=commitment,
        assumed=Assumed(Decimal(seats), dict(usage or {}), event_size),
        at=at,
    )
