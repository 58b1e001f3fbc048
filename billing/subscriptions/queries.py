"""Subscriptions of an organization or customer."""

from __future__ import annotations

from collections.abc import Set

from django.db.models import Q, QuerySet

from billing.models import Subscription
from rest.lookup import find

#: What the prices of a subscription follow from.
_TERMS = (
    "plan_version__prices__meter",
    "plan_version__based_on__prices",
    "seat_changes",
    "plan_changes__plan_version__plan",
    "plan_changes__plan_version__based_on__prices",
    "plan_changes__plan_version__prices__meter",
    "pauses",
    "add_ons__plan_version__plan",
    "add_ons__plan_version__prices__meter",
)


def subscriptions_of(organization_id: int) -> QuerySet[Subscription]:
    """The organization's subscriptions with all that rating and showing them needs."""
    return with_terms(Subscription.objects.filter(organization_id=organization_id))


def with_terms(rows: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Subscriptions with all that what they owe follows from, in the order of their ids."""
    return rows.select_related("customer__test_clock", "plan_version__plan").prefetch_related(*_TERMS).order_by("id")


def get_subscription(*, organization_id: int, subscription: str) -> Subscription:
    """The subscription with this id; `NotFoundError` with code `subscription_not_found`."""
    return find(subscriptions_of(organization_id), subscription, what="subscription")


def unknown_subscriptions(organization_id: int, named: Set[tuple[str | None, str]]) -> set[tuple[str | None, str]]:
    """Those of `named` (a customer's key, the id or key of a subscription) that are no subscription of the customer."""
    names = {name for _, name in named}
    rows = Subscription.objects.filter(Q(pk__in=names) | Q(key__in=names), organization_id=organization_id)
    known = {
        (customer, name)
        for customer, *both in rows.values_list("customer__key", "pk", "key")
        for name in both
        if name is not None
    }
    return set(named - known)
