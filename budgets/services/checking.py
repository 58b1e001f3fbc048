"""May this be done? And if so, hold what it will use, so that nobody else is promised the same.

One statement locks the running totals that the work would add to, in their order, and takes its part of all of them
or of none. What is used and held together never passes where a total stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from budgets.contracts import Ask, EstimateMissing, Reserved, Verdict
from budgets.models import Measure, RunningTotal
from budgets.queries.facts import Facts, Grant, facts_of, facts_of_nobody
from budgets.queries.features import Used, used_by
from budgets.queries.rules import Rule, rules_for
from budgets.services.evaluation import evaluate_totals
from budgets.services.reservations import expire_reservations
from kernel.errors import NotFoundError
from kernel.ids import new_id
from kernel.money import EXACT
from metering.facade import Kept
from rest.statements import run

ZERO = Decimal(0)
_NO_END = Decimal("Infinity")

_WANTED = """
WITH wanted AS (
    SELECT * FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::timestamptz[]) AS w (id, amount, most, now)
), state AS MATERIALIZED (
    SELECT t.id, t.used, t.held, w.amount, COALESCE(w.most, t.stop_at, 'Infinity') AS most,
           t.evaluated_at IS NULL OR t.period_end <= w.now AS is_stale
    FROM budgets_runningtotal t JOIN wanted w ON w.id = t.id ORDER BY t.id {lock}
), verdict AS MATERIALIZED (
    SELECT COALESCE(bool_and(
        NOT is_stale AND used + held + amount <= most AND (amount > 0 OR used + held < most)
    ), TRUE) AS fits FROM state
){taking}
SELECT s.id, s.used, s.held, s.most, s.is_stale, v.fits FROM verdict v LEFT JOIN state s ON TRUE
"""
_LOOK = _WANTED.format(lock="", taking="")
_TAKE = _WANTED.format(
    lock="FOR UPDATE OF t",
    taking=""", taken AS (
    UPDATE budgets_runningtotal t SET held = s.held + s.amount FROM state s, verdict v WHERE t.id = s.id AND v.fits
), reservation AS (
    INSERT INTO budgets_reservation (id, organization_id, customer_id, agent, feature, meter, quantity, state, events,
                                     created_at, expires_at)
    SELECT %s, %s::bigint, %s, %s, %s, %s, %s::numeric, 'held', '[]', %s::timestamptz, %s::timestamptz
    FROM verdict v WHERE v.fits
), hold AS (
    INSERT INTO budgets_hold (reservation_id, total_id, amount, is_settled)
    SELECT %s, s.id, s.amount, FALSE FROM state s, verdict v WHERE v.fits
)""",
)


def check_entitlement(*, organization_id: int, ask: Ask, now: datetime) -> Verdict:
    """Whether `ask` is allowed as things stand, and with `ask.reserve` a reservation of it.

    What the log has taken in since the totals were last evaluated (every second) is not seen yet, unless it was
    reserved. Raises `NotFoundError` for an unknown customer, feature or meter, and `EstimateMissing`. `now` is the
    machine's; periods of a customer on a test clock are that one's.
    """
    facts = facts_of(organization_id=organization_id, customer=ask.customer, now=now)
    return _verdict(organization_id, ask, facts, now)


def check_work(
    *, organization_id: int, customer: str | None, agent: str | None, now: datetime, is_customers_own: bool = False
) -> Verdict:
    """Whether an agent may begin, or go on with, some work for a customer: no budget that stops and concerns them is
    used up. Work for nobody, or for a customer that does not exist yet, is stopped by what is the organization's or the
    agent's. `is_customers_own`: the customer asks, who hears of no other limits than its own."""
    facts = facts_of_nobody(customer or "")
    if customer:
        with suppress(NotFoundError):
            facts = facts_of(organization_id=organization_id, customer=customer, now=now)
    ask = Ask(customer=facts.key, agent=agent, is_customers_own=is_customers_own)
    return _verdict(organization_id, ask, facts, now)


def _verdict(organization_id: int, ask: Ask, facts: Facts, now: datetime) -> Verdict:
    used = used_by(organization_id=organization_id, feature=ask.feature, meter=ask.meter)
    if facts.is_suspended:
        return Verdict(False, "customer_suspended", "This customer has not paid and is suspended")
    if used.feature_id is not None:
        if not facts.is_subscribed:
            return Verdict(False, "no_subscription", "This customer has no subscription at present")
        if used.feature_id not in facts.grants:
            return Verdict(False, "feature_not_in_plan", f"No plan of this customer has {used.feature}")
    demands = [*_of_budgets(organization_id, ask, used, facts, now), *_of_plans(organization_id, ask, used, facts, now)]
    if not demands and not ask.reserve:
        return Verdict(True)
    demands.sort(key=lambda one: one.total_id)
    return _Attempt(organization_id, ask, used, facts, demands, now).verdict()


@dataclass(frozen=True, slots=True)
class _Demand:
    """What the work would add to a running total. `most` is where it is refused, None for the total's own; a soft
    limit only warns. `now` is that of the total's period."""

    total_id: int
    amount: Decimal
    now: datetime
    rule: Rule | None = None
    most: Decimal | None = None
    soft_limit: Decimal | None = None

    @property
    def is_money(self) -> bool:
        return self.rule is not None and self.rule.measure != Measure.METER

    @property
    def is_the_customers(self) -> bool:
        """Whether it is the customer's to know: not what others share, nor what its work costs the vendor."""
        return self.rule is None or _is_the_customers(self.rule)


def _is_the_customers(rule: Rule) -> bool:
    return rule.customer_id is not None and rule.measure != Measure.COST


def _of_budgets(organization_id: int, ask: Ask, used: Used, facts: Facts, now: datetime) -> list[_Demand]:
    demands = []
    for rule in rules_for(organization_id=organization_id, customer_id=facts.customer_id):
        if not rule.is_about(plans=facts.plans, agent=ask.agent):
            continue
        if rule.measure == Measure.SPEND and rule.currency != facts.currency:
            continue
        names_nothing = used.meter_id is None and used.feature_id is None
        if not names_nothing and not rule.counts(meter=used.meter_id, dimensions=ask.dimensions):
            continue
        at = (facts.clock or now) if rule.customer_id is not None else now
        demands.append(_Demand(rule.total_id, _added(rule, ask, used, facts), at, rule))
    return demands


def _added(rule: Rule, ask: Ask, used: Used, facts: Facts) -> Decimal:
    """What the work adds to a budget at most."""
    if used.meter_id is None and used.feature_id is None and rule.measure == Measure.METER:
        return ZERO
    if rule.measure == Measure.METER:
        return ask.quantity
    estimate = ask.amount if rule.measure == Measure.SPEND else ask.cost
    if estimate is None and rule.measure == Measure.SPEND and used.meter_id is not None:
        estimate = facts.most_charged(meter_id=used.meter_id, quantity=ask.quantity)
    if estimate is not None:
        return estimate
    if ask.reserve and (used.meter_id is not None or used.feature_id is not None):
        name = "amount" if rule.measure == Measure.SPEND else "cost"
        which = "A budget" if ask.is_customers_own and not _is_the_customers(rule) else f"The budget {rule.key}"
        raise EstimateMissing(f"{which} is in money: say with {name} what this comes to at most")
    return ZERO


def _of_plans(organization_id: int, ask: Ask, used: Used, facts: Facts, now: datetime) -> list[_Demand]:
    if used.feature_id is not None:
        grants = [facts.grants[used.feature_id]]
    else:
        grants = [one for one in facts.grants.values() if used.meter_id and one.meter_id == used.meter_id]
    return [
        _Demand(
            _total_of(organization_id, facts, grant),
            ask.quantity,
            facts.clock or now,
            most=grant.limit if grant.is_hard else _NO_END,
            soft_limit=None if grant.is_hard else grant.limit,
        )
        for grant in grants
        if grant.limit is not None
    ]


_totals: Kept[int] = Kept(seconds=60.0)


def _total_of(organization_id: int, facts: Facts, grant: Grant) -> int:
    """The running total of a customer's feature; made when it is first asked for."""
    key = (facts.customer_id, grant.feature_id, grant.period)
    if (known := _totals.get(key)) is not None:
        return known
    values = {"customer_id": facts.customer_id, "feature_id": grant.feature_id, "period_kind": grant.period}
    total = RunningTotal.objects.filter(budget=None, **values).first()
    if total is None:
        try:
            with transaction.atomic():
                total = RunningTotal.objects.create(organization_id=organization_id, **values)
        except IntegrityError:  # another check was quicker
            total = RunningTotal.objects.get(budget=None, **values)
    return _totals.keep(key, total.pk)


@dataclass(frozen=True, slots=True)
class _State:
    used: Decimal
    held: Decimal
    most: Decimal

    @property
    def taken(self) -> Decimal:
        return EXACT.add(self.used, self.held)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One question, put to the totals until none of them is behind the time."""

    organization_id: int
    ask: Ask
    used: Used
    facts: Facts
    demands: Sequence[_Demand]
    now: datetime

    def verdict(self) -> Verdict:
        has_expired = False
        for _ in range(3):
            reservation_id = new_id("rsv")
            rows = self._put(reservation_id)
            ids = [one.total_id for one in self.demands]
            stale = [row[0] for row in rows if row[4]]
            if stale:
                evaluate_totals(organization_id=self.organization_id, ids=stale, now=self.now)
            elif rows[0][5]:
                return self._allowed(self._states(rows), reservation_id)
            elif has_expired or not expire_reservations(now=self.now, totals=ids):
                return self._refused(self._states(rows))
            else:
                has_expired = True
                evaluate_totals(organization_id=self.organization_id, ids=ids, now=self.now)
        return Verdict(False, "limit_unknown", "What was used cannot be worked out at present")

    def _put(self, reservation_id: str) -> list[tuple[Any, ...]]:
        wanted: list[Any] = [
            [one.total_id for one in self.demands],
            [one.amount for one in self.demands],
            [one.most for one in self.demands],
            [one.now for one in self.demands],
        ]
        if not self.ask.reserve:
            return run(_LOOK, wanted).fetchall()
        reservation = [
            reservation_id, self.organization_id, self.facts.customer_id, self.ask.agent or "", self.used.feature,
            self.used.meter, self.ask.quantity, self.now, self.now + self.ask.lifetime, reservation_id,
        ]  # fmt: skip
        return run(_TAKE, [*wanted, *reservation]).fetchall()

    def _states(self, rows: Sequence[tuple[Any, ...]]) -> dict[int, _State]:
        return {row[0]: _State(row[1], row[2], row[3]) for row in rows if row[0] is not None}

    def _allowed(self, states: dict[int, _State], reservation_id: str) -> Verdict:
        reserved = Reserved(reservation_id, self.now + self.ask.lifetime) if self.ask.reserve else None
        return self._answer(states, Verdict(True, reservation=reserved), taken=self.ask.reserve)

    def _refused(self, states: dict[int, _State]) -> Verdict:
        for one in self.demands:
            state = states[one.total_id]
            if state.taken + one.amount <= state.most and (one.amount or state.taken < state.most):
                continue
            if self.ask.is_customers_own and not one.is_the_customers:
                return self._answer(states, Verdict(False, "limit_reached", "There is no more room for this work"))
            if one.rule is None:
                detail = f"The plan's limit of {state.most:f} is reached"
                return self._answer(states, Verdict(False, "limit_reached", detail))
            if state.used >= state.most:
                refusal = Verdict(False, "budget_stopped", f"The budget {one.rule.key} is used up", one.rule.budget_id)
            else:
                detail = f"The budget {one.rule.key} does not have as much left"
                refusal = Verdict(False, "limit_reached", detail, one.rule.budget_id)
            return self._answer(states, refusal)
        raise AssertionError("a question that fits nowhere names what refused it")

    def _answer(self, states: dict[int, _State], verdict: Verdict, *, taken: bool = False) -> Verdict:
        """With what is left: after a reservation, without what it took."""
        left: dict[bool, Decimal] = {}
        warnings: tuple[str, ...] = ()
        for one in self.demands:
            if self.ask.is_customers_own and not one.is_the_customers:
                continue
            state = states[one.total_id]
            most = state.most if one.soft_limit is None else one.soft_limit
            after = EXACT.add(state.taken, one.amount if taken else ZERO)
            rest = EXACT.subtract(most, after)
            if most.is_finite() and (one.rule is None or one.rule.measure != Measure.COST):
                left[one.is_money] = min(left.get(one.is_money, _NO_END), max(rest, ZERO))
            if one.soft_limit is not None and state.taken + one.amount > one.soft_limit:
                warnings = ("soft_limit_reached",)
        return Verdict(
            allowed=verdict.allowed,
            reason=verdict.reason,
            detail=verdict.detail,
            budget=verdict.budget,
            remaining=left.get(False),
            remaining_amount=left.get(True),
            currency=self.facts.currency if True in left else None,
            warnings=warnings,
            reservation=verdict.reservation,
        )
