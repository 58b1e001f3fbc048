"""The figures of a selection, each read when it is first asked for and then kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from accounts.facade import Organization
from agents.facade import WorkRow
from console.queries import directory
from console.queries.calls import CallFigures, amounts
from console.queries.revenue import Revenue, RevenueReader
from console.queries.usage import ZERO, OrganizationUsage
from console.selection import Selection
from kernel.period import Period

TURNS = "turns"


class Figures:
    """What one page shows of an organization. The number of queries does not grow with customers or events."""

    def __init__(self, *, organization: Organization, selection: Selection, now: datetime) -> None:
        self.organization = organization
        self.selection = selection
        self.now = now
        self._names: dict[str, directory.Named] = {}
        self._looked_up: set[str] = set()

    def named(self, keys: Iterable[str]) -> dict[str, directory.Named]:
        """Those of the customers with these keys that there are, by key; each is looked up once."""
        wanted = [key for key in keys if key and key not in self._looked_up]
        if wanted:
            self._names |= directory.customers_named(self.organization.pk, wanted)
            self._looked_up.update(wanted)
        return self._names

    @cached_property
    def plan_names(self) -> dict[str, str]:
        return directory.plan_names(self.organization.pk)

    @cached_property
    def customers_by_plan(self) -> dict[str, frozenset[str]]:
        return directory.customers_by_plan(self.organization.pk, self.selection.period)

    @cached_property
    def customers(self) -> tuple[str, ...] | None:
        """The keys of the customers that the filters leave, None for all of them."""
        left: set[str] | None = None
        if self.selection.plan:
            left = set(self.customers_by_plan.get(self.selection.plan, ()))
        if self.selection.customer:
            left = {self.selection.customer} if left is None else left & {self.selection.customer}
        return None if left is None else tuple(sorted(left))

    @cached_property
    def usage(self) -> OrganizationUsage:
        return OrganizationUsage(self.organization.pk, self.selection, self.customers)

    @cached_property
    def meter(self) -> str | None:
        """The meter that is looked at: the one selected, else turns, else the first there is."""
        meters = self.usage.meters
        if self.selection.meter in meters:
            return self.selection.meter
        return TURNS if TURNS in meters else next(iter(meters), None)

    @property
    def meter_name(self) -> str:
        return self.usage.meters[self.meter].meter.name if self.meter else "Usage"

    @property
    def meter_unit(self) -> str:
        return self.usage.meters[self.meter].meter.unit if self.meter else ""

    @cached_property
    def agents(self) -> list[str]:
        """The agents that were at work in the period, for whomever; the one selected is always among them."""
        everyone = OrganizationUsage(self.organization.pk, _without_filters(self.selection), None)
        everyone.meters = self.usage.meters
        keys = [TURNS, *self.usage.meters]
        meter = next((key for key in keys if "agent" in self.usage.dimensions(key)), None)
        found = set(everyone.by_agent(meter) or {}) if meter else set()
        return sorted(found - {""} | ({self.selection.agent} if self.selection.agent else set()))

    def kinds_of(self, name: str) -> list[str]:
        """The models, hardware or regions (`name`) with calls in the period; the one selected is always among them."""
        found = {row.group[name] for row in self._kinds_called}
        chosen = getattr(self.selection, name)
        return sorted(found - {""} | ({chosen} if chosen else set()))

    @cached_property
    def _kinds_called(self) -> list[WorkRow]:
        if not (self.selection.is_of_calls or self.selection.agent or self.customers is not None):
            return self.calls.kinds
        return CallFigures(self.organization.pk, _without_filters(self.selection), None).kinds

    @cached_property
    def _revenue_reader(self) -> RevenueReader | None:
        return self._read_revenue(is_summed=True)

    def _read_revenue(self, *, is_summed: bool) -> RevenueReader | None:
        selection = self.selection
        if selection.agent or selection.is_of_calls:
            return None
        months = sorted({*selection.months, *self.months_before.months})
        named = {"customer": selection.customer, "plan": selection.plan}
        return RevenueReader(self.organization.pk, months, now=self.now, is_summed=is_summed, **named)

    @property
    def revenue(self) -> Revenue | None:
        """None while an agent, a model, hardware or a region is selected: nobody is billed by them."""
        found: Revenue | None = self.__dict__.get("detailed_revenue")
        return found or self._summed_revenue

    @cached_property
    def _summed_revenue(self) -> Revenue | None:
        return self._revenue_reader.revenue(self.selection.months) if self._revenue_reader else None

    @cached_property
    def detailed_revenue(self) -> Revenue | None:
        """The same by customer and plan, which takes longer."""
        reader = self._read_revenue(is_summed=False)
        return reader.revenue(self.selection.months) if reader else None

    @cached_property
    def billed_before(self) -> Decimal | None:
        """What was billed in as many months before those of the selection, in `currency`; None where nothing was."""
        if self._revenue_reader is None:
            return None
        return self._revenue_reader.billed(self.months_before.months, self.currency) or None

    @cached_property
    def months_before(self) -> Selection:
        months = self.selection.months
        whole = replace(self.selection, first=months[0].first_day, last=months[-1].next().first_day - timedelta(days=1))
        # Invoices are of whole months, also while one goes on.
        return replace(whole, today=whole.last).before

    @property
    def currency(self) -> str:
        """The one selected, else that in which most is billed; the cost's where nothing is."""
        if self.selection.currency:
            return self.selection.currency
        currencies = self.revenue.currencies if self.revenue else []
        return currencies[0] if currencies else self.cost_currency

    @property
    def currencies(self) -> list[str]:
        """Every currency in which there is a figure."""
        found = {*(self.revenue.currencies if self.revenue else []), *self.calls.total.costs.amounts}
        return sorted(found | ({self.selection.currency} if self.selection.currency else set()))

    @property
    def cost_currency(self) -> str:
        return self.selection.currency or self.calls.total.costs.currency

    @cached_property
    def calls(self) -> CallFigures:
        return CallFigures(self.organization.pk, self.selection, self.customers)

    @cached_property
    def cost_by_customer(self) -> dict[str, Decimal]:
        return amounts(self.calls.by_customer, self.cost_currency)

    @cached_property
    def cost_by_agent(self) -> dict[str, Decimal]:
        return amounts(self.calls.costs_by_agent, self.cost_currency)

    @cached_property
    def cost_by_window(self) -> dict[str, dict[date, Decimal]]:
        currency = self.cost_currency
        return {
            agent: {day: row.costs.amounts.get(currency, ZERO) for day, row in windows.items()}
            for agent, windows in self.calls.by_agent_and_window.items()
        }

    @cached_property
    def usage_by_window(self) -> dict[str, dict[date, Decimal]] | None:
        return self.usage.by_window(self.meter) if self.meter else None

    @cached_property
    def usage_by_customer(self) -> dict[str, Decimal] | None:
        return self.usage.by_customer(self.meter) if self.meter else None

    @cached_property
    def usage_by_agent(self) -> dict[str, Decimal] | None:
        return self.usage.by_agent(self.meter) if self.meter else None

    @property
    def cost(self) -> Decimal:
        """What the work of the period cost, in `cost_currency`; calls without a price are not in it."""
        return self.calls.total.costs.amounts.get(self.cost_currency, ZERO)

    @property
    def cost_before(self) -> Decimal:
        return self.calls.costs_before.costs.amounts.get(self.cost_currency, ZERO)

    @cached_property
    def cost_of_months(self) -> Decimal:
        """What the work of the months cost that `revenue` is about."""
        return self.cost if self.selection.is_whole_months else self._cost_of(self.selection)

    @cached_property
    def cost_of_months_before(self) -> Decimal:
        return self._cost_of(self.months_before)

    def _cost_of(self, selection: Selection) -> Decimal:
        zone: ZoneInfo = selection.zone
        whole = Period(selection.months[0].period(zone).start, selection.months[-1].period(zone).end)
        return self.calls.costs_in(whole).costs.amounts.get(self.cost_currency, ZERO)

    def by_plan(self, by_customer: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """The sum over the customers of each plan; a customer on two of them counts in both."""
        plans = {self.selection.plan} if self.selection.plan else set(self.customers_by_plan)
        sums = {
            plan: sum((by_customer.get(key, ZERO) for key in self.customers_by_plan.get(plan, ())), ZERO)
            for plan in plans
            if plan
        }
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _without_filters(selection: Selection) -> Selection:
    return Selection(selection.name, selection.zone, selection.first, selection.last, selection.today)
