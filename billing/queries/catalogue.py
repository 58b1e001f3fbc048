from __future__ import annotations

from django.db.models import QuerySet

from billing.models import Plan, PlanVersion, PricingUnit
from rest.lookup import find


def plans_of(organization_id: int) -> QuerySet[Plan]:
    """The organization's plans with their versions and prices."""
    return Plan.objects.filter(organization_id=organization_id).prefetch_related(
        "versions__prices__meter", "versions__prices__pricing_unit"
    )


def get_plan(*, organization_id: int, plan: str) -> Plan:
    """The plan with this key or id; `NotFoundError` with code `plan_not_found`."""
    return find(plans_of(organization_id), plan, what="plan")


def newest_version(plan: Plan) -> PlanVersion:
    """The version new subscriptions get."""
    return max((version for version in plan.versions.all() if version.customer_id is None), key=lambda one: one.number)


def pricing_units_of(organization_id: int) -> QuerySet[PricingUnit]:
    """The organization's pricing units."""
    return PricingUnit.objects.filter(organization_id=organization_id)


def get_pricing_unit(*, organization_id: int, unit: str) -> PricingUnit:
    """The pricing unit with this key or id; `NotFoundError` with code `pricing_unit_not_found`."""
    return find(pricing_units_of(organization_id), unit, what="pricing_unit")
