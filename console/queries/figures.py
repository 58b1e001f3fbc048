"""The figures of a selection, each read when it is first asked for and then kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from accounts.facade import Organization
from console.queries import directory
from console.queries.revenue import Revenue, revenue_of
from console.queries.usage import ZERO, OrganizationUsage
from console.selection import Selection
from kernel.period import Period

TURNS, COST = "turns", "cost"
_DEFAULT_CURRENCY = "USD"


class Figures:
    """What one page shows of an organization. The number of queries does not grow with customers or events."""

    def __init__(self, *, organization: Organization, selection: Selection, now: datetime) -> None:
        self.organization = organization
        self.selection = selection
        self.now = now

    @cached_property
    def named(self) -> dict[str, directory.Named]:
        """Every customer of the organization by key, in the order of names."""
        return directory.customers_by_key(self.organization.pk)

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

    @cached_property
    def revenue(self) -> Revenue | None:
        """None while an agent is selected: nobody is billed by the agent."""
        if self.selection.agent:
            return None
        return revenue_of(
            self.organization.pk,
            self.selection.months,
            now=self.now,
            customers=(self.selection.customer,) if self.selection.customer else None,
            plan=self.selection.plan,
        )

    @property
    def currency(self) -> str:
        """The currency in which most is billed; the cost's where nothing is."""
        currencies = self.revenue.currencies if self.revenue else []
        return currencies[0] if currencies else self.cost_currency

    @property
    def cost_currency(self) -> str:
        return (self.usage.meters[COST].meter.unit if COST in self.usage.meters else "") or _DEFAULT_CURRENCY

    @cached_property
    def cost_by_customer(self) -> dict[str, Decimal] | None:
        return self.usage.by_customer(COST)

    @cached_property
    def cost_by_agent(self) -> dict[str, Decimal] | None:
        return self.usage.by_agent(COST)

    @cached_property
    def cost_by_window(self) -> dict[str, dict[date, Decimal]] | None:
        return self.usage.by_window(COST)

    @cached_property
    def usage_by_window(self) -> dict[str, dict[date, Decimal]] | None:
        return self.usage.by_window(self.meter) if self.meter else None

    @cached_property
    def usage_by_customer(self) -> dict[str, Decimal] | None:
        return self.usage.by_customer(self.meter) if self.meter else None

    @cached_property
    def usage_by_agent(self) -> dict[str, Decimal] | None:
        return self.usage.by_agent(self.meter) if self.meter else None

    @cached_property
    def cost(self) -> Decimal | None:
        """What the work of the period cost."""
        return None if self.cost_by_customer is None else sum(self.cost_by_customer.values(), ZERO)

    @cached_property
    def cost_of_months(self) -> Decimal | None:
        """What the work of the months cost that `revenue` is about."""
        if self.selection.is_whole_months or self.cost is None:
            return self.cost
        zone: ZoneInfo = self.selection.zone
        months = self.selection.months
        whole = Period(months[0].period(zone).start, months[-1].period(zone).end)
        return self.usage.total(COST, period=whole)

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
