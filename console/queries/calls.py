"""What calls of models used and cost within a selection, each question asked once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date
from decimal import Decimal
from functools import cached_property

from agents.facade import RatesRead, WorkQuestion, WorkRow, work
from console.selection import Selection
from kernel.money import EXACT
from kernel.period import Period

ZERO = Decimal(0)

#: By what a page about models tells calls apart.
KINDS = ("model", "hardware", "region")


class CallFigures:
    """Sums over calls. Costs are by rates or as reported; amounts of several currencies are never added up."""

    #: Whether tokens are asked for too, which takes longer.
    has_tokens = False

    def __init__(self, organization_id: int, selection: Selection, customers: Collection[str] | None) -> None:
        self._organization_id = organization_id
        self.selection = selection
        self._customers = customers
        self._rates = RatesRead(organization_id)

    @cached_property
    def kinds(self) -> list[WorkRow]:
        """By model, hardware and region; tokens only with `has_tokens`."""
        return self._ask(KINDS, only_costs=not self.has_tokens)

    @cached_property
    def total(self) -> WorkRow:
        """All together, from what was asked for already."""
        by_customer = self.__dict__.get("by_customer")
        if by_customer is not None and not self.has_tokens:
            return merged(by_customer.values())
        return merged(self.kinds)

    @cached_property
    def by_agent_and_window(self) -> dict[str, dict[date, WorkRow]]:
        """By agent ("" for calls that name none) and the first day of each window; costs and compute seconds alone."""
        found: dict[str, dict[date, WorkRow]] = {}
        for row in self._ask(("agent",), window=self.selection.window, only_costs=True):
            assert row.start is not None
            found.setdefault(row.group["agent"], {})[row.start.astimezone(self.selection.zone).date()] = row
        return found

    @cached_property
    def costs_by_agent(self) -> dict[str, WorkRow]:
        """Costs and compute seconds alone."""
        return {row.group["agent"]: row for row in self._ask(("agent",), only_costs=True)}

    @cached_property
    def by_customer(self) -> dict[str, WorkRow]:
        """Costs and compute seconds alone."""
        return {row.group["customer"]: row for row in self._ask(("customer",), only_costs=True)}

    @cached_property
    def before(self) -> WorkRow:
        """All together, in the stretch before."""
        return merged(self._ask((), period=self.selection.before.period))

    @cached_property
    def costs_before(self) -> WorkRow:
        """Costs and compute seconds alone."""
        return self.costs_in(self.selection.before.period)

    def costs_in(self, period: Period) -> WorkRow:
        return merged(self._ask((), period=period, only_costs=True))

    def by(self, name: str) -> dict[str, WorkRow]:
        """By one of `KINDS`; "" is what names none."""
        parts: dict[str, list[WorkRow]] = {}
        for row in self.kinds:
            parts.setdefault(row.group[name], []).append(row)
        return {value: merged(rows) for value, rows in parts.items()}

    def _ask(
        self,
        group_by: tuple[str, ...],
        *,
        window: str = "total",
        period: Period | None = None,
        only_costs: bool = False,
    ) -> list[WorkRow]:
        selection = self.selection
        if self._customers is not None and not self._customers:
            return []
        return work(
            WorkQuestion(
                self._organization_id,
                period or selection.period,
                group_by=group_by,
                window=window,
                zone=selection.zone,
                customers=self._customers,
                agent=selection.agent,
                model=selection.model,
                hardware=selection.hardware,
                region=selection.region,
                only_costs=only_costs,
            ),
            rates=self._rates,
        )


def merged(rows: Iterable[WorkRow]) -> WorkRow:
    """Rows together, as one of no group."""
    whole = WorkRow(None, {})
    for row in rows:
        whole.tasks += row.tasks
        whole.calls += row.calls
        whole.costs.add(row.costs)
        for name, quantity in row.quantities.items():
            if quantity:
                whole.quantities[name] = EXACT.add(whole.quantities[name], quantity)
    return whole


def largest_first(values: dict[str, Decimal]) -> dict[str, Decimal]:
    return dict(sorted(values.items(), key=lambda item: (-item[1], item[0])))


def amounts(rows: dict[str, WorkRow], currency: str) -> dict[str, Decimal]:
    """What each came to in one currency, most first."""
    return largest_first({name: row.costs.amounts.get(currency, ZERO) for name, row in rows.items()})


def measured(rows: dict[str, WorkRow], of: Callable[[WorkRow], Decimal]) -> dict[str, Decimal]:
    """Another number of each, most first."""
    return largest_first({name: of(row) for name, row in rows.items()})
