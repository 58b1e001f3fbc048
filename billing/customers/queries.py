"""Customers, seller profiles and billing policies."""

from __future__ import annotations

from collections.abc import Set

from django.db.models import QuerySet

from accounts.facade import Organization
from billing.models import BillingPolicy, Customer, Invoice, SellerProfile
from billing.payments.links import offered_link
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


def known_customers(organization_id: int, keys: Set[str]) -> set[str]:
    """Those of `keys` that are customers'."""
    rows = Customer.objects.filter(organization_id=organization_id, key__in=keys)
    return set(rows.values_list("key", flat=True))


def seller_profile_of(organization_id: int) -> SellerProfile:
    """The profile that documents are issued with now: the newest version, or one (not stored) of the name alone."""
    found = SellerProfile.objects.filter(organization_id=organization_id).select_related("logo").first()
    if found is not None:
        return found
    name = Organization.objects.values_list("name", flat=True).get(pk=organization_id)
    return SellerProfile(organization_id=organization_id, version=0, legal_name=name)


def payment_link(seller: SellerProfile, invoice: Invoice) -> str:
    """Where this invoice can be paid: as the seller says, else by the page that collecting offers; empty for a draft,
    or where there is neither."""
    if not invoice.number:
        return ""
    if not seller.payment_url.startswith(("https://", "http://")):  # no other scheme becomes a link
        return offered_link(invoice)
    return seller.payment_url.replace("{invoice}", invoice.pk).replace("{number}", invoice.number)


def policy_of(organization_id: int) -> BillingPolicy:
    """The organization's choices, or the defaults."""
    found = BillingPolicy.objects.filter(organization_id=organization_id).first()
    return found or BillingPolicy(organization_id=organization_id)
