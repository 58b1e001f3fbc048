"""Usage of an organization's meters, whichever of them it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from console.selection import Selection
from kernel.period import Period
from metering.facade import MeterVersion, UsageQuestion, UsageRow, current_versions, definition_of, usage_of_version

ZERO = Decimal(0)

#: A question about agents by someone who has no standard meters is answered by the first that knows agents.
AGENT = "agent"


class OrganizationUsage:
    """Questions about usage within one selection. Each method asks once, whatever the number of customers.

    A question to a meter that does not exist, or that does not know agents while one is selected, has the
    answer None: nothing is known, which is not the same as no usage.
    """

    def __init__(self, organization_id: int, selection: Selection, customers: tuple[str, ...] | None) -> None:
        self._organization_id = organization_id
        self.selection = selection
        self._customers = customers

    @cached_property
    def meters(self) -> dict[str, MeterVersion]:
        """The newest version of every meter, by the meter's key, in the order in which they were made."""
        versions = current_versions().filter(meter__organization_id=self._organization_id)
        return {version.meter.key: version for version in versions.order_by("meter_id")}

    def dimensions(self, meter: str) -> tuple[str, ...]:
        return definition_of(self.meters[meter]).dimension_names if meter in self.meters else ()

    def total(self, meter: str, *, period: Period | None = None) -> Decimal | None:
        rows = self._rows(meter, period=period)
        return None if rows is None else sum((row.quantity for row in rows), ZERO)

    def by_customer(self, meter: str) -> dict[str, Decimal] | None:
        rows = self._rows(meter, by_customer=True)
        return None if rows is None else _summed((row.customer or "", row.quantity) for row in rows)

    def by_agent(self, meter: str) -> dict[str, Decimal] | None:
        """By the agent's key; usage that names no agent stands under the empty key."""
        if AGENT not in self.dimensions(meter):
            return None
        rows = self._rows(meter, group_by=(AGENT,))
        return None if rows is None else _summed((row.group[AGENT] or "", row.quantity) for row in rows)

    def by_window(self, meter: str) -> dict[str, dict[date, Decimal]] | None:
        """By agent, where the meter knows agents, and by the first day of each window."""
        groups = (AGENT,) if AGENT in self.dimensions(meter) else ()
        rows = self._rows(meter, window=self.selection.window, group_by=groups)
        if rows is None:
            return None
        series: dict[str, dict[date, Decimal]] = defaultdict(dict)
        for row in rows:
            series[row.group.get(AGENT) or ""][self._day(row.start)] = row.quantity
        return dict(series)

    def _day(self, start: datetime) -> date:
        return start.astimezone(self.selection.zone).date()

    def _rows(
        self,
        meter: str,
        *,
        period: Period | None = None,
        window: str = "total",
        by_customer: bool = False,
        group_by: tuple[str, ...] = (),
    ) -> list[UsageRow] | None:
        agent = self.selection.agent
        if meter not in self.meters or (agent and AGENT not in self.dimensions(meter)):
            return None
        question = UsageQuestion(
            organization_id=self._organization_id,
            meter=meter,
            period=period or self.selection.period,
            window=window,
            timezone=self.selection.zone.key,
            customers=self._customers,
            by_customer=by_customer,
            group_by=group_by,
            where={AGENT: agent} if agent else {},
        )
        return usage_of_version(self.meters[meter], question)


def _summed(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for name, value in pairs:
        sums[name] += value
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
