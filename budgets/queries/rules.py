"""Which budgets can stop a piece of work. Believed for a second, since every check asks."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from budgets.models import Budget, Measure, Scope
from metering.facade import Kept


@dataclass(frozen=True, slots=True)
class Rule:
    """A budget that stops, and the running total that says how far it has come. `meter` is the meter's id."""

    total_id: int
    budget_id: str
    key: str
    scope: str
    customer_id: str | None
    agent: str
    plan_id: str | None
    measure: str
    meter: str | None
    filter: Mapping[str, str]
    currency: str

    def is_about(self, *, plans: frozenset[str], agent: str | None) -> bool:
        """Whether it is for work of this agent, for a customer on `plans`. Whose customer it is was asked before."""
        if self.scope == Scope.AGENT:
            return self.agent == agent
        return self.scope != Scope.PLAN or self.plan_id in plans

    def counts(self, *, meter: str | None, dimensions: Mapping[str, str]) -> bool:
        """Whether usage of `meter` adds to it: money always does. A dimension that is not told may be the filtered."""
        if self.measure != Measure.METER:
            return True
        return self.meter == meter and all(dimensions.get(name, value) == value for name, value in self.filter.items())


_kept: Kept[tuple[Rule, ...]] = Kept(seconds=1.0)
_generations: defaultdict[int, int] = defaultdict(int)
_lock = threading.Lock()


def rules_for(*, organization_id: int, customer_id: str) -> tuple[Rule, ...]:
    """The organization's stopping budgets that are not another customer's, by their running totals."""
    key = (organization_id, _generations[organization_id], customer_id)
    if (known := _kept.get(key)) is not None:
        return known
    found = (
        Budget.objects.filter(organization_id=organization_id, removed_at=None, total__stop_at__isnull=False)
        .filter(~Q(scope=Scope.CUSTOMER) | Q(customer_id=customer_id))
        .select_related("total")
        .order_by("total__id")
    )
    return _kept.keep(key, tuple(_rule(one) for one in found))


def forget_rules(organization_id: int) -> None:
    """To be called when the organization's budgets have changed."""
    with _lock:
        _generations[organization_id] += 1


def _rule(one: Budget) -> Rule:
    return Rule(
        total_id=one.total.pk,
        budget_id=one.pk,
        key=one.key,
        scope=one.scope,
        customer_id=one.customer_id,
        agent=one.agent,
        plan_id=one.plan_id,
        measure=one.measure,
        meter=one.meter_id,
        filter=one.filter,
        currency=one.currency,
    )
