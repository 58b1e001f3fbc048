from __future__ import annotations

from django.db.models import QuerySet

from billing.models import Customer, Subscription
from rest.lookup import find


def customers_of(organization_id: int) -> QuerySet[Customer]:
    """The organization's customers in the order in which they were made."""
    return Customer.objects.filter(organization_id=organization_id).select_related("test_clock").order_by("id")


def get_customer(*, organization_id: int, customer: str) -> Customer:
    """The customer with this key or id; `NotFoundError` with code `customer_not_found`."""
    return find(customers_of(organization_id), customer, what="customer")


def customer_key(organization_id: int, reference: str) -> str:
    """The key that usage events name the customer by; raises as `get_customer`."""
    return get_customer(organization_id=organization_id, customer=reference).key


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
