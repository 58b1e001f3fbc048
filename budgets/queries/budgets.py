"""Budgets, how far they have come, and the thresholds they have reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from billing.facade import get_customer, get_plan
from budgets.domain.thresholds import Threshold, read_thresholds
from budgets.models import Budget, Crossing
from kernel.money import EXACT
from rest.lookup import find

_HUNDRED = Decimal(100)


def budgets_of(
    organization_id: int,
    *,
    scope: str | None = None,
    customer: str | None = None,
    agent: str | None = None,
    plan: str | None = None,
) -> QuerySet[Budget]:
    """The organization's budgets that are not removed, with what they are of and how far they have come.

    `customer` and `plan` are keys or ids; `scope` and these leave out the others.
    """
    rows = Budget.objects.filter(organization_id=organization_id, removed_at=None)
    if scope is not None:
        rows = rows.filter(scope=scope)
    if customer is not None:
        rows = rows.filter(customer__pk=get_customer(organization_id=organization_id, customer=customer).pk)
    if agent is not None:
        rows = rows.filter(agent=agent.replace("\x00", ""))
    if plan is not None:
        rows = rows.filter(plan__pk=get_plan(organization_id=organization_id, plan=plan).pk)
    return rows.select_related("customer__test_clock", "plan", "meter", "total").order_by("id")


def get_budget(*, organization_id: int, budget: str) -> Budget:
    """The budget with this key or id; `NotFoundError` with code `budget_not_found`."""
    return find(budgets_of(organization_id), budget, what="budget")


def crossings_of(budget: Budget) -> QuerySet[Crossing]:
    """Every threshold that was reached, the newest first."""
    rows = Crossing.objects.filter(budget=budget).select_related("budget__customer", "budget__meter")
    return rows.order_by("-id")


@dataclass(frozen=True, slots=True)
class BudgetState:
    """How far a budget has come in its period; without one (a customer without a subscription), nowhere.

    `used` is what the log said at `evaluated_at`, `held` what reservations hold beside it. `stops_at` is None where no
    threshold stops.
    """

    period_start: datetime | None
    period_end: datetime | None
    used: Decimal
    held: Decimal
    amount: Decimal
    stops_at: Decimal | None
    evaluated_at: datetime | None
    thresholds: tuple[Threshold, ...]

    @property
    def remaining(self) -> Decimal:
        """Never less than nothing."""
        return max(EXACT.subtract(self.amount, EXACT.add(self.used, self.held)), Decimal(0))

    @property
    def percent(self) -> Decimal:
        """How many percent of the amount are used, to a tenth."""
        return (EXACT.divide(EXACT.multiply(self.used, _HUNDRED), self.amount)).quantize(Decimal("0.1"))

    @property
    def is_stopped(self) -> bool:
        return self.stops_at is not None and self.used >= self.stops_at


def budget_state(budget: Budget, *, now: datetime) -> BudgetState:
    """The state of a budget of `budgets_of`. Where its period is over and the next not evaluated yet, nothing is used.

    `now` is the machine's; a customer on a test clock has that one's.
    """
    if budget.customer is not None and budget.customer.test_clock is not None:
        now = budget.customer.test_clock.now
    total, used, start, end = budget.total, budget.total.used, budget.total.period_start, budget.total.period_end
    if end is not None and now >= end:
        used, start, end = Decimal(0), None, None
    thresholds = read_thresholds(budget.thresholds)
    return BudgetState(start, end, used, total.held, budget.amount, total.stop_at, total.evaluated_at, thresholds)
