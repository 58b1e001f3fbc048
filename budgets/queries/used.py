"""What the log says that totals have used, read for all of them at once: one statement per meter, period and filter."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.facade import Subscription, open_spend, status_at, subscriptions_of, version_at
from budgets.models import Measure, RunningTotal, Scope
from budgets.queries.costs import read_costs
from budgets.queries.periods import customer_of, periods_of, time_for
from kernel.errors import TaximeterError
from kernel.period import Period
from metering.facade import UsageQuestion, usage

logger = logging.getLogger("budgets")

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a total has used in its present period. `complete_before` as in `CostAnswer`."""

    period: Period | None
    used: Decimal
    complete_before: int | None = None

    def counts(self, end: int | None) -> bool:
        """Whether all is in it that came before the transaction `end`; what has no end known is not."""
        return self.complete_before is None or (end is not None and self.complete_before >= end)


@dataclass(frozen=True, slots=True)
class _Question:
    """Totals with the same one are answered together. `scope` is what the usage is told apart by."""

    scope: str
    measure: str
    period: Period
    meter: str = ""
    where: tuple[tuple[str, str], ...] = ()
    currency: str = ""
    plan_id: str | None = None


def read_used(
    *, organization_id: int, totals: Sequence[RunningTotal], now: datetime, periods: Mapping[int, Period | None] = {}
) -> dict[int, Reading]:
    """By total; those whose question cannot be answered are left out. `periods` of totals that are known already.

    For figures that belong together, call this in a transaction of isolation REPEATABLE READ.
    """
    unknown = [one for one in totals if one.pk not in periods]
    known = {**periods, **periods_of(unknown, now=now)}
    found: dict[int, Reading] = {}
    asked: dict[_Question, list[RunningTotal]] = defaultdict(list)
    for total in totals:
        period = known[total.pk]
        if period is None:
            found[total.pk] = Reading(None, ZERO)
        else:
            asked[_question(total, period)].append(total)
    spending = [one for question, some in asked.items() if question.measure == Measure.SPEND for one in some]
    found |= _spend(organization_id, spending, now, known)
    for question, some in asked.items():
        if question.measure == Measure.SPEND:
            continue
        try:
            if question.measure == Measure.COST:
                found |= _costs(organization_id, question, some, now)
            else:
                found |= _usage(organization_id, question, some, now)
        except TaximeterError as error:
            logger.warning("%d running totals of %s were not read: %s", len(some), question, error)
    return found


def _question(total: RunningTotal, period: Period) -> _Question:
    budget = total.budget
    if budget is None:
        assert total.feature is not None
        assert total.feature.meter is not None
        return _Question(Scope.CUSTOMER, Measure.METER, period, total.feature.meter.key)
    meter = budget.meter.key if budget.meter is not None else ""
    where = tuple(sorted(budget.filter.items()))
    return _Question(budget.scope, budget.measure, period, meter, where, budget.currency, budget.plan_id)


def _subject(total: RunningTotal) -> str | None:
    """What tells a total's usage apart from that of others with the same question."""
    customer = customer_of(total)
    if customer is not None:
        return customer.key
    return total.budget.agent or None if total.budget is not None else None


def _usage(
    organization_id: int, question: _Question, totals: Iterable[RunningTotal], now: datetime
) -> dict[int, Reading]:
    subjects = {total.pk: _subject(total) for total in totals}
    by_customer, by_agent = question.scope == Scope.CUSTOMER, question.scope == Scope.AGENT
    customers: tuple[str, ...] | None = None
    if by_customer:
        customers = tuple(sorted({one for one in subjects.values() if one is not None}))
    elif question.scope == Scope.PLAN:
        customers = _customers_on(organization_id, question.plan_id, now)
    rows = usage(
        UsageQuestion(
            organization_id=organization_id,
            meter=question.meter,
            period=question.period,
            customers=customers,
            by_customer=by_customer,
            group_by=("agent",) if by_agent else (),
            where=dict(question.where),
        )
    )
    amounts = {row.customer if by_customer else row.group.get("agent"): row.quantity for row in rows}
    return {pk: Reading(question.period, amounts.get(subject, ZERO)) for pk, subject in subjects.items()}


def _costs(
    organization_id: int, question: _Question, totals: Iterable[RunningTotal], now: datetime
) -> dict[int, Reading]:
    by = {Scope.CUSTOMER: "customer", Scope.PLAN: "customer", Scope.AGENT: "agent"}.get(Scope(question.scope))
    answer = read_costs(organization_id=organization_id, period=question.period, by=by, currency=question.currency)
    if question.scope == Scope.PLAN:
        amount = sum(
            (answer.amounts.get(key, ZERO) for key in _customers_on(organization_id, question.plan_id, now)), ZERO
        )
        return {total.pk: Reading(question.period, amount, answer.complete_before) for total in totals}
    return {
        total.pk: Reading(question.period, answer.amounts.get(_subject(total), ZERO), answer.complete_before)
        for total in totals
    }


def _spend(
    organization_id: int, totals: Sequence[RunningTotal], now: datetime, periods: Mapping[int, Period | None]
) -> dict[int, Reading]:
    """Of customers, what their open billing periods come to; of a plan or the organization, the sum of all."""
    if not totals:
        return {}
    budgets = {total.pk: total.budget for total in totals if total.budget is not None}
    only = all(one.scope == Scope.CUSTOMER for one in budgets.values())
    customers = {one.customer_id for one in budgets.values() if one.customer_id} if only else None
    spent, failed = open_spend(organization_id=organization_id, customers=customers, now=now)
    found: dict[int, Reading] = {}
    for pk, budget in budgets.items():
        own = [one for one in spent if one.currency == budget.currency]
        if budget.scope == Scope.CUSTOMER:
            if budget.customer_id in failed:
                continue
            own = [one for one in own if one.subscription.customer_id == budget.customer_id]
        elif budget.scope == Scope.PLAN:
            own = [one for one in own if _plan_now(one.subscription, now) == budget.plan_id]
        found[pk] = Reading(periods[pk], sum((one.amount for one in own), ZERO))
    return found


def _plan_now(subscription: Subscription, now: datetime) -> str:
    return version_at(subscription, time_for(subscription.customer, now)).plan_id


def _customers_on(organization_id: int, plan_id: str | None, now: datetime) -> tuple[str, ...]:
    """The keys of the customers that are on a plan now, as an add-on too; of those on a test clock, at its time."""
    keys = set()
    for one in subscriptions_of(organization_id):
        at = time_for(one.customer, now)
        if one.starts_at > at or status_at(one, at) == "ended":
            continue
        versions = [version_at(one, at), *(add_on.plan_version for add_on in one.add_ons.all())]
        if plan_id in {version.plan_id for version in versions}:
            keys.add(one.customer.key)
    return tuple(sorted(keys))
