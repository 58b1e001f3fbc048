"""Price curves of several plan versions in one figure: what is drawn, its table and its CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.contracts import Point, counted_meters, price_curve
from billing.facade import Price
from console import formats
from console.wording import unit_name
from kernel.money import EXACT
from kernel.spreadsheets import csv_text

#: More lines than this cannot be told apart.
MOST_SERIES = 6
#: A longer table is cut down to the even steps of usage.
_MOST_ROWS = 40
_USUAL = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Curved:
    """A version to be drawn: its prices, stored or not."""

    name: str
    prices: Sequence[Price]


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: usage of `meter` up to `up_to`, and what is taken for granted meanwhile."""

    meter: str
    up_to: Decimal
    seats: int = 1
    event_size: Decimal = Decimal(1)
    usage: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """The figure: for each name the points of its line, all over the same usage."""

    view: View
    unit: str
    currency: str
    names: tuple[str, ...]
    lines: tuple[tuple[Point, ...], ...]

    @property
    def drawn(self) -> dict[str, Any]:
        """What the page's script draws, as JSON; numbers are decimal text."""
        series = [
            {"name": name, "points": [[format(one.quantity, "f"), format(one.amount, "f")] for one in points]}
            for name, points in zip(self.names, self.lines, strict=True)
        ]
        sign = formats.sign_of(self.currency)
        return {"series": series, "prefix": sign, "currency": self.currency, "unit": self.unit}

    @property
    def rows(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The table: usage, and for each line the amount and what a unit comes to on average."""
        columns = list(zip(*self.lines, strict=True))
        if len(columns) > _MOST_ROWS:
            step = self.view.up_to / 10
            columns = [points for points in columns if points[0].quantity % step == 0]
        return [(_usage(points[0]), [self._written(one) for one in points]) for points in columns]

    def _written(self, one: Point) -> tuple[str, str]:
        each = formats.NOTHING
        if one.quantity:
            each = formats.small_money(EXACT.divide(one.amount, one.quantity), self.currency)
        return formats.money(one.amount, self.currency), each

    @property
    def summary(self) -> str:
        """What a screen reader hears in place of the drawing."""
        ends = ", ".join(
            f"{name}: {formats.money(points[-1].amount, self.currency)}"
            for name, points in zip(self.names, self.lines, strict=True)
        )
        return f"What a customer pays for {formats.quantity(self.view.up_to)} {self.unit}. {ends}. The table has more."

    def to_csv(self) -> str:
        """Every point with exact values; `just over` marks usage that has only just passed a step."""
        file = io.StringIO()
        writer = csv.writer(file)
        names = [f"{name} ({self.currency})" for name in self.names]
        writer.writerow([csv_text(f"Usage ({self.unit})"), "Just over", *map(csv_text, names)])
        for points in zip(*self.lines, strict=True):
            first = points[0]
            writer.writerow(
                [
                    format(first.quantity, "f"),
                    "yes" if any(one.just_over for one in points) else "",
                    *(format(one.amount, "f") for one in points),
                ]
            )
        return file.getvalue()


def _usage(point: Point) -> str:
    if not point.just_over:
        return formats.quantity(point.quantity)
    places = max(0, 3 - point.quantity.adjusted())
    near = point.quantity.quantize(Decimal(1).scaleb(-min(places, 6)), context=EXACT)
    return f"just over {formats.quantity(near)}"


def meters_of_all(versions: Sequence[Curved]) -> list[str]:
    """The meters that any of the versions counts, in their order."""
    return list(dict.fromkeys(key for one in versions for key in counted_meters(one.prices)))


def named(versions: Sequence[Curved], meters: Sequence[str]) -> list[tuple[str, str]]:
    """Meters with what they are called."""
    names = {price.meter.key: price.meter.name for one in versions for price in one.prices if price.meter}
    return [(key, names.get(key) or key) for key in meters]


def unit_of_meter(versions: Sequence[Curved], meter: str) -> str:
    found = (price.meter for one in versions for price in one.prices if price.meter and price.meter.key == meter)
    counted = next(found, None)
    return (unit_name(counted.unit) or counted.name) if counted else ""


def usual_width(versions: Sequence[Curved], meter: str) -> Decimal:
    """How much usage shows what there is to see: somewhat beyond the last tier, included units, or packages."""
    ends = [_USUAL / 3]
    for price in (price for one in versions for price in one.prices if price.meter and price.meter.key == meter):
        model = price.model
        ends += [Decimal(tier["up_to"]) for tier in model.get("tiers", []) if tier["up_to"] is not None]
        ends += [price.included, *(Decimal(model[name]) * 4 for name in ("package_size",) if name in model)]
        ends += [Decimal(model["free_units"])] if "free_units" in model else []
    widest = max(ends) * Decimal("1.5") if len(ends) > 1 and max(ends) > ends[0] else _USUAL
    finest = Decimal(1).scaleb(max(widest.adjusted() - 1, 0))
    return max((widest / finest).to_integral_value(rounding="ROUND_CEILING") * finest, Decimal(10))


def draw(versions: Sequence[Curved], view: View, *, currency: str) -> Curves:
    """The curves of versions of one currency. Raises what `price_curve` does."""
    asked: dict[str, Any] = {
        "meter": view.meter,
        "up_to": view.up_to,
        "currency": currency,
        "seats": view.seats,
        "usage": view.usage,
        "event_size": view.event_size,
    }
    shown = versions[:MOST_SERIES]
    alone = [price_curve(one.prices, **asked) for one in shown]
    marks = {one.quantity: one.just_over for points in alone for one in points}
    marks |= {one.quantity: True for points in alone for one in points if one.just_over}
    lines = [price_curve(one.prices, **asked, at=marks) for one in shown] if len(shown) > 1 else alone
    return Curves(
        view=view,
        unit=unit_of_meter(shown, view.meter),
        currency=currency,
        names=tuple(one.name for one in shown),
        lines=tuple(tuple(points) for points in lines),
    )
