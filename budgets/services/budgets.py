"""Making, changing and removing budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.facade import Organization, record_audit, record_change
from billing.facade import get_customer, get_plan
from budgets.domain.thresholds import Threshold, ThresholdsInvalid, read_thresholds, stop_of
from budgets.models import Budget, Measure, PeriodKind, RunningTotal, Scope
from budgets.queries.rules import forget_rules
from budgets.services.features import ADDITIVE
from kernel.errors import ConflictError, InvalidError
from metering.facade import definition_of, get_meter_version
from notifications.facade import is_address


class BudgetInvalid(InvalidError):
    code = "budget_invalid"


class BudgetExists(ConflictError):
    code = "budget_exists"


def create_budget(
    *,
    organization: Organization,
    key: str,
    measure: Mapping[str, Any],
    amount: Decimal,
    period: str,
    thresholds: Sequence[Mapping[str, Any]],
    name: str = "",
    scope: str = "organization",
    customer: str | None = None,
    agent: str | None = None,
    plan: str | None = None,
    currency: str | None = None,
    timezone: str | None = None,
) -> Budget:
    """A budget from now on. `measure` is `{"meter", "filter"?}` or `{"money": "spend" | "cost"}`; `customer` and `plan`
    are keys or ids, one of them or `agent` as `scope` says.

    Raises `BudgetInvalid`, `ThresholdsInvalid`, `BudgetExists`, and what is raised for an unknown customer, plan or
    meter.
    """
    _check_which(scope, customer=customer, agent=agent, plan=plan)
    who = get_customer(organization_id=organization.pk, customer=customer) if customer is not None else None
    of_plan = get_plan(organization_id=organization.pk, plan=plan) if plan is not None else None
    if amount <= 0:
        raise BudgetInvalid("A budget is of more than nothing", code="amount_invalid")
    read = _thresholds(thresholds)
    measured = _measured(organization.pk, measure, scope, period, currency, who.currency if who else None)
    budget = Budget(
        organization=organization,
        key=key,
        name=name or key,
        scope=scope,
        customer=who,
        agent=agent or "",
        plan=of_plan,
        amount=amount,
        period=period,
        timezone=timezone or (who.timezone if who else "UTC"),
        thresholds=[one.to_json() for one in read],
        **measured,
    )
    try:
        with transaction.atomic():
            budget.save(force_insert=True)
            RunningTotal.objects.create(
                organization=organization, budget=budget, period_kind=period, stop_at=stop_of(read, amount)
            )
            record_audit(
                organization_id=organization.pk,
                action="budget.create",
                target=key,
                about=budget.customer_id,
                **_written(budget),
            )
    except IntegrityError as error:
        if "budget_key_unique" not in str(error):
            raise
        raise BudgetExists(f"There is a budget {key!r} already") from None
    forget_rules(organization.pk)
    return budget


def update_budget(
    *,
    budget: Budget,
    name: str | None = None,
    amount: Decimal | None = None,
    thresholds: Sequence[Mapping[str, Any]] | None = None,
) -> Budget:
    """Change what a budget is called, its amount or its thresholds. Checks go by it at once, alerts with the next
    evaluation; an amount that was changed is crossed anew. What it measures never changes: that is another budget.

    Raises `BudgetInvalid`, `ThresholdsInvalid`; `BudgetInvalid` with code `budget_removed` for one that is removed.
    """
    with transaction.atomic():
        held = Budget.objects.select_for_update().get(pk=budget.pk)
        if held.removed_at is not None:
            raise BudgetInvalid("This budget was removed", code="budget_removed")
        if amount is not None and amount <= 0:
            raise BudgetInvalid("A budget is of more than nothing", code="amount_invalid")
        before = _written(held)
        held.name = name or held.name
        held.amount = held.amount if amount is None else amount
        read = _thresholds(held.thresholds if thresholds is None else thresholds)
        held.thresholds = [one.to_json() for one in read]
        held.save(update_fields=["name", "amount", "thresholds"])
        # An evaluation under way goes by what the budget was: it is overtaken.
        RunningTotal.objects.filter(budget=held).update(
            stop_at=stop_of(read, held.amount), is_due=True, revision=F("revision") + 1
        )
        record_change(
            organization_id=held.organization_id,
            action="budget.update",
            target=held.key,
            about=held.customer_id,
            before=before,
            after=_written(held),
        )
    forget_rules(held.organization_id)
    return held


def remove_budget(*, budget: Budget, now: datetime) -> Budget:
    """Ends a budget: it alerts and stops nothing any more. Removing it again changes nothing."""
    with transaction.atomic():
        if Budget.objects.filter(pk=budget.pk, removed_at=None).update(removed_at=now):
            record_audit(organization_id=budget.organization_id, action="budget.remove", target=budget.key)
    forget_rules(budget.organization_id)
    budget.refresh_from_db()
    return budget


def _written(budget: Budget) -> dict[str, Any]:
    """What the audit trail says of a budget."""
    return {"name": budget.name, "amount": budget.amount, "thresholds": budget.thresholds}


def _check_which(scope: str, **which: str | None) -> None:
    """A budget of a customer names one and nothing else; so for agents and plans."""
    if scope not in Scope.values:
        raise BudgetInvalid(f"scope is one of {', '.join(Scope.values)}", code="scope_invalid")
    for name, value in which.items():
        if name == scope and not value:
            raise BudgetInvalid(f"A budget of this scope says which {name}", code=f"{name}_missing")
        if name != scope and value:
            raise BudgetInvalid(f"A budget of the scope {scope} has no {name}", code=f"{name}_not_allowed")
    if len(which["agent"] or "") > 255 or "\x00" in (which["agent"] or ""):
        raise BudgetInvalid("An agent is named in at most 255 characters", code="agent_invalid")


def _thresholds(value: Sequence[Mapping[str, Any]]) -> tuple[Threshold, ...]:
    read = read_thresholds(value)
    wrong = [one for threshold in read for one in threshold.recipients if not is_address(one)]
    if wrong:
        raise ThresholdsInvalid(f"{wrong[0]!r} is no mail address")
    return read


def _measured(
    organization_id: int,
    measure: Mapping[str, Any],
    scope: str,
    period: str,
    currency: str | None,
    customers_currency: str | None,
) -> dict[str, Any]:
    """The fields of a budget that say what it measures."""
    if period not in PeriodKind.values:
        raise BudgetInvalid(f"period is one of {', '.join(PeriodKind.values)}", code="period_invalid")
    if period == PeriodKind.BILLING_PERIOD and scope != Scope.CUSTOMER:
        raise BudgetInvalid("Only a customer has a billing period", code="period_invalid")
    if set(measure) == {"money"} and measure["money"] in (Measure.SPEND, Measure.COST):
        if measure["money"] == Measure.SPEND:
            _check_spend(scope, period)
            if currency and customers_currency and currency != customers_currency:
                raise BudgetInvalid(f"This customer is charged in {customers_currency}", code="currency_invalid")
        return {"measure": measure["money"], "currency": currency or _default(measure, customers_currency)}
    if not {"meter"} <= set(measure) <= {"meter", "filter"}:
        raise BudgetInvalid('measure is {"meter", "filter"?} or {"money": "spend" | "cost"}', code="measure_invalid")
    if currency:
        raise BudgetInvalid("A budget on a meter has no currency", code="currency_not_allowed")
    version = get_meter_version(organization_id=organization_id, meter=measure["meter"])
    definition, where = definition_of(version), measure.get("filter") or {}
    if definition.aggregation not in ADDITIVE:
        detail = f"A budget needs a meter that adds up ({', '.join(sorted(ADDITIVE))}), not {definition.aggregation}"
        raise BudgetInvalid(detail, code="meter_unsuitable")
    if not isinstance(where, Mapping) or not all(isinstance(one, str) and "\x00" not in one for one in where.values()):
        raise BudgetInvalid("filter gives dimensions of the meter their values", code="filter_invalid")
    for name in [*where, *(["agent"] if scope == Scope.AGENT else [])]:
        if name not in definition.dimension_names:
            raise BudgetInvalid(f"This meter has no dimension {name!r}", code="dimension_unknown")
    return {"measure": Measure.METER, "meter": version.meter, "filter": dict(where)}


def _default(measure: Mapping[str, Any], customers_currency: str | None) -> str:
    return customers_currency or "USD" if measure["money"] == Measure.SPEND else "USD"


def _check_spend(scope: str, period: str) -> None:
    """Tiers and included units are those of a billing period: what a part of one costs by itself, nobody can say."""
    if scope == Scope.AGENT:
        detail = "Invoices do not say what an agent is charged for: measure its cost, or a meter"
        raise BudgetInvalid(detail, code="scope_unsupported")
    needed = PeriodKind.BILLING_PERIOD if scope == Scope.CUSTOMER else PeriodKind.MONTH
    if period != needed:
        detail = f"What a {scope} is charged is known by the {needed.label.lower()}"
        raise BudgetInvalid(detail, code="period_unsupported")
