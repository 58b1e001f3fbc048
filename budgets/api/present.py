"""Budgets, features and verdicts as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from billing.facade import PlanVersion
from budgets.contracts import Verdict
from budgets.models import Budget, Entitlement, Feature, Reservation
from budgets.queries.budgets import budget_state
from budgets.services.crossings import present_crossing as crossing

__all__ = ["budget", "crossing", "entitlements", "feature", "reservation", "verdict"]

_STATE = "period_start period_end used held remaining percent stops_at is_stopped evaluated_at"


def budget(one: Budget, *, now: datetime) -> dict[str, Any]:
    state = budget_state(one, now=now)
    names = "id key name scope amount period timezone thresholds created_at"
    return {name: getattr(one, name) for name in names.split()} | {
        "customer": one.customer.key if one.customer is not None else None,
        "agent": one.agent or None,
        "plan": one.plan.key if one.plan is not None else None,
        "measure": _measure(one),
        "currency": one.currency or None,
        "state": {name: getattr(state, name) for name in _STATE.split()},
    }


def _measure(one: Budget) -> dict[str, Any]:
    if one.meter is None:
        return {"money": one.measure}
    return {"meter": one.meter.key, "filter": one.filter}


def feature(one: Feature) -> dict[str, Any]:
    return {
        "id": one.pk,
        "key": one.key,
        "name": one.name,
        "meter": one.meter.key if one.meter is not None else None,
        "created_at": one.created_at,
    }


def entitlements(version: PlanVersion, rows: Iterable[Entitlement]) -> dict[str, Any]:
    return {"plan": version.plan.key, "version": version.number, "entitlements": [_entitlement(row) for row in rows]}


def _entitlement(row: Entitlement) -> dict[str, Any]:
    return {
        "feature": row.feature.key,
        "meter": row.feature.meter.key if row.feature.meter is not None else None,
        "limit": row.limit,
        "hard": row.is_hard,
        "period": row.period,
    }


def verdict(one: Verdict) -> dict[str, Any]:
    names = "allowed reason detail budget remaining remaining_amount currency"
    reserved = one.reservation
    return {name: getattr(one, name) for name in names.split()} | {
        "warnings": list(one.warnings),
        "reservation": None if reserved is None else {"id": reserved.id, "expires_at": reserved.expires_at},
    }


def reservation(one: Reservation) -> dict[str, Any]:
    names = "id quantity state created_at expires_at ended_at"
    return {name: getattr(one, name) for name in names.split()} | {
        "customer": one.customer.key,
        "agent": one.agent or None,
        "feature": one.feature or None,
        "meter": one.meter or None,
    }
