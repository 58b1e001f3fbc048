"""What work cost the vendor, as told by the room that knows: it stands to the left, so it makes itself known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from kernel.period import Period


@dataclass(frozen=True, slots=True)
class CostAnswer:
    """Costs by what they were asked by (the customer's key or the agent's; None for all together).

    All that transactions before `complete_before` wrote to the log is in it; None: all that can be seen.
    """

    amounts: Mapping[str | None, Decimal]
    complete_before: int | None = None


class CostReader(Protocol):
    def __call__(self, *, organization_id: int, period: Period, by: str | None, currency: str) -> CostAnswer:
        """What calls in `period` cost in `currency`, by `customer`, by `agent` or, with None, all together.

        Costs are kept by the hour: those of the hours in which a period begins and ends count as a whole.
        """


_reader: CostReader | None = None


def register_cost_reader(reader: CostReader) -> None:
    """Have costs answered by `reader`."""
    global _reader  # noqa: PLW0603 - one room of the process knows costs
    _reader = reader


def read_costs(*, organization_id: int, period: Period, by: str | None, currency: str) -> CostAnswer:
    """As `CostReader`; without one, nothing ever cost anything."""
    if _reader is None:
        return CostAnswer({})
    return _reader(organization_id=organization_id, period=period, by=by, currency=currency)
