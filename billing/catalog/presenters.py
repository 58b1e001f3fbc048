"""Filling the API answers of plans, prices and migrations."""

from __future__ import annotations

from typing import Any

from billing.catalog.migrating import Move
from billing.catalog.models import PriceKind
from billing.customers.presenters import money
from billing.documents.typesetting import unprintable
from billing.models import (
    Plan,
    PlanVersion,
    Price,
)


def price(one: Price) -> dict[str, Any]:
    return {
        "id": one.id,
        "key": one.key,
        "name": one.name,
        "kind": one.kind,
        "meter": one.meter.key if one.meter else None,
        "filter": one.filter,
        "bill": one.bill,
        "prorate": one.prorate,
        "included": one.included,
        "minimum": one.minimum,
        "maximum": one.maximum,
        "pricing_unit": one.pricing_unit.key if one.pricing_unit else None,
        "unit_rate": one.unit_rate,
        "tax_rate": one.tax_rate,
        "model": one.model,
        "unprintable": unprintable(one.name),
    }


def plan_version(one: PlanVersion) -> dict[str, Any]:
    return {
        "id": one.id,
        "version": one.number,
        "currency": one.currency,
        "interval": one.interval,
        "interval_count": one.interval_count,
        "trial_days": one.trial_days,
        "trial_once_per_customer": one.trial_once_per_customer,
        "minimum_commitment": _commitment(one),
        "invoice_threshold": one.invoice_threshold,
        "settlement_hours": one.settlement_hours,
        "prices": [price(p) for p in one.prices.all() if p.kind != PriceKind.COMMITMENT],
        "created_at": one.created_at,
    }


def _commitment(one: PlanVersion) -> str:
    found = [p.model["amount"] for p in one.prices.all() if p.kind == PriceKind.COMMITMENT]
    return found[0] if found else "0"


def plan(one: Plan) -> dict[str, Any]:
    versions = sorted((v for v in one.versions.all() if v.customer_id is None), key=lambda version: version.number)
    named = {"id": one.id, "key": one.key, "name": one.name, "add_on": one.add_on, "created_at": one.created_at}
    return plan_version(versions[-1]) | named


def move(one: Move) -> dict[str, Any]:
    """What a subscription's open period comes to on its version and on the other, before tax."""
    return {
        "subscription": one.subscription.pk,
        "customer": one.subscription.customer.key,
        "plan_version": one.version.number,
        "current": money(one.current, one.version.currency),
        "new": money(one.new, one.version.currency),
        "difference": money(one.new - one.current, one.version.currency),
        "currency": one.version.currency,
    }
