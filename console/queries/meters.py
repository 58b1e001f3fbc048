"""What every meter counted in a selection, beside the stretch before it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from console.formats import MINUS, NOTHING, percent
from console.queries.figures import Figures
from metering.facade import Meter


@dataclass(frozen=True, slots=True)
class MeterRow:
    """Quantities are None where the meter does not know what is filtered by."""

    meter: Meter
    quantity: Decimal | None
    before: Decimal | None

    @property
    def change(self) -> str:
        if self.quantity is None or not self.before:
            return NOTHING
        change = percent(self.quantity - self.before, self.before)
        return change if change.startswith((MINUS, "-")) else f"+{change}"


def usage_by_meter(figures: Figures) -> list[MeterRow]:
    """Two queries a meter, however many customers there are."""
    before = figures.selection.before.period
    return [
        MeterRow(version.meter, figures.usage.total(key), figures.usage.total(key, period=before))
        for key, version in figures.usage.meters.items()
    ]
