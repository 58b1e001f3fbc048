"""Plans, prices and pricing units, and the subscriptions on each version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import CharField, Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing.errors import CurrencyMismatch
from billing.models import Customer, Plan, PlanChange, PlanVersion, PricingUnit, Subscription, SubscriptionAddOn
from kernel.errors import InvalidError
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


def subscriptions_on(organization_id: int, now: datetime) -> QuerySet[Any]:
    """Subscriptions that run at `now`; `version_now` is the id of the plan version each is on."""
    changes = PlanChange.objects.filter(subscription=OuterRef("pk"), starts_at__lte=now).order_by("-starts_at", "-id")
    running = Subscription.objects.filter(organization_id=organization_id, starts_at__lte=now)
    changed_to = Subquery(changes.values("plan_version_id")[:1])
    return running.filter(Q(ends_at=None) | Q(ends_at__gte=now)).annotate(
        version_now=Coalesce(changed_to, F("plan_version_id"), output_field=CharField())
    )


def counts_on_versions(organization_id: int, now: datetime) -> dict[str, int]:
    """How many subscriptions each version of any plan has at `now`, as their plan or as an add-on, by its id."""
    rows = subscriptions_on(organization_id, now).order_by().values_list("version_now").annotate(Count("pk"))
    counts: dict[str, int] = dict(rows)
    add_ons = SubscriptionAddOn.objects.filter(subscription__organization_id=organization_id, starts_at__lte=now)
    running = add_ons.filter(Q(ends_at=None) | Q(ends_at__gte=now))
    for version, count in running.order_by().values_list("plan_version_id").annotate(Count("pk")):
        counts[version] = counts.get(version, 0) + count
    return counts


def on_plan(organization_id: int, plan_id: str, now: datetime) -> QuerySet[Subscription]:
    """Subscriptions that are on any version of a plan at `now`, with their customers."""
    versions = PlanVersion.objects.filter(plan=plan_id)
    return subscriptions_on(organization_id, now).filter(version_now__in=versions).select_related("customer")


def require_plan(customer: Customer, version: PlanVersion) -> None:
    """Raises where the customer cannot be on this plan version: `CurrencyMismatch`, `InvalidError`."""
    if version.plan.organization_id != customer.organization_id:
        raise InvalidError("Plan and customer belong to different organizations")
    if version.currency != customer.currency:
        raise CurrencyMismatch(f"The plan is in {version.currency}, the customer pays in {customer.currency}")
