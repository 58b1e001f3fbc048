"""Usage of an organization's meters, whichever of them it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from agents.facade import STANDARD_METERS, EndedTasks, ended_tasks
from console.selection import CALL_FILTERS, Selection
from kernel.period import Period
from metering.facade import MeterVersion, UsageQuestion, UsageRow, current_versions, definition_of, usage_of_version

ZERO = Decimal(0)

_TASK_METERS = {one.key: one.definition for one in STANDARD_METERS if one.key in {"tasks", "succeeded_tasks"}}

#: A question about agents by someone who has no standard meters is answered by the first that knows agents.
AGENT = "agent"


class OrganizationUsage:
    """Questions about usage within one selection. Each method asks once, whatever the number of customers.

    A question to a meter that does not exist, or that does not know agents (models, hardware, regions) while one is
    selected, has the answer None: nothing is known, which is not the same as no usage.
    """

    def __init__(self, organization_id: int, selection: Selection, customers: tuple[str, ...] | None) -> None:
        self._organization_id = organization_id
        self.selection = selection
        self._customers = customers
        self._ended_in: dict[Period, list[EndedTasks]] = {}
        self._totals: dict[tuple[str, Period | None], Decimal | None] = {}

    @cached_property
    def meters(self) -> dict[str, MeterVersion]:
        """The newest version of every meter, by the meter's key, in the order in which they were made."""
        versions = current_versions().filter(meter__organization_id=self._organization_id)
        return {version.meter.key: version for version in versions.order_by("meter_id")}

    def dimensions(self, meter: str) -> tuple[str, ...]:
        return definition_of(self.meters[meter]).dimension_names if meter in self.meters else ()

    @cached_property
    def _where(self) -> dict[str, str]:
        filters = {name: getattr(self.selection, name) for name in (AGENT, *CALL_FILTERS)}
        return {name: value for name, value in filters.items() if value}

    def total(self, meter: str, *, period: Period | None = None) -> Decimal | None:
        """Asked once for each period."""
        key = meter, period
        if key not in self._totals:
            if (ended := self._ended(meter, period)) is not None:
                self._totals[key] = Decimal(sum(one.tasks for one in ended))
            else:
                rows = self._rows(meter, period=period)
                self._totals[key] = None if rows is None else sum((row.quantity for row in rows), ZERO)
        return self._totals[key]

    def by(self, meter: str, dimension: str) -> dict[str, Decimal] | None:
        """By the values of a dimension that the meter knows, most first; None where it does not."""
        if dimension not in self.dimensions(meter):
            return None
        if dimension in {AGENT, "outcome"} and (ended := self._ended(meter, None)) is not None:
            return _summed((getattr(one, dimension), Decimal(one.tasks)) for one in ended)
        rows = self._rows(meter, group_by=(dimension,))
        return None if rows is None else _summed((row.group[dimension] or "", row.quantity) for row in rows)

    def by_customer(self, meter: str) -> dict[str, Decimal] | None:
        rows = self._rows(meter, by_customer=True)
        return None if rows is None else _summed((row.customer or "", row.quantity) for row in rows)

    def by_agent(self, meter: str) -> dict[str, Decimal] | None:
        """By the agent's key; usage that names no agent stands under the empty key."""
        return self.by(meter, AGENT)

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

    def _ended(self, meter: str, period: Period | None) -> list[EndedTasks] | None:
        """What a standard meter of tasks counts, from the summaries of tasks: a meter has to look at every task that
        it counted, so as to count each once. None for any other meter."""
        wanted = _TASK_METERS.get(meter)
        if wanted is None or meter not in self.meters or self.meters[meter].definition != wanted:
            return None
        if not self._where.keys() <= {AGENT}:
            return None
        period = period or self.selection.period
        if period not in self._ended_in:
            self._ended_in[period] = ended_tasks(
                organization_id=self._organization_id,
                period=period,
                customers=self._customers,
                agent=self._where.get(AGENT),
            )
        found = self._ended_in[period]
        return found if meter == "tasks" else [one for one in found if one.outcome == "succeeded"]

    def _rows(
        self,
        meter: str,
        *,
        period: Period | None = None,
        window: str = "total",
        by_customer: bool = False,
        group_by: tuple[str, ...] = (),
    ) -> list[UsageRow] | None:
        where = self._where
        if meter not in self.meters or not where.keys() <= set(self.dimensions(meter)):
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
            where=where,
        )
        return usage_of_version(self.meters[meter], question)


def _summed(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for name, value in pairs:
        sums[name] += value
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
