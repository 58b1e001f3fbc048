"""Who collects, how, and from whom; without rows the defaults hold."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from billing.facade import Customer
from collection.domain.dunning import Terms
from collection.models import CollectionPolicy, PayingCustomer, StripeAccount
from collection.models.accounts import ProviderName
from kernel.errors import NotFoundError


class StripeAccountMissing(NotFoundError):
    code = "stripe_account_not_found"


def policy_of(organization_id: int) -> CollectionPolicy:
    """The organization's choices, or the defaults."""
    found = CollectionPolicy.objects.filter(organization_id=organization_id).first()
    return found or CollectionPolicy(organization_id=organization_id)


def terms_of(policy: CollectionPolicy) -> Terms:
    return Terms(
        reminder_days=tuple(policy.reminder_days),
        retry_days=tuple(policy.retry_days),
        suspend_after_days=policy.suspend_after_days,
        give_up_after_days=policy.give_up_after_days,
    )


def stripe_account_of(organization_id: int) -> StripeAccount:
    """Raises `StripeAccountMissing`."""
    found = StripeAccount.objects.filter(organization_id=organization_id).first()
    if found is None:
        raise StripeAccountMissing("This organization has no Stripe account")
    return found


def paying_customers(customers: Iterable[Customer]) -> dict[str, PayingCustomer]:
    """By customer id; one without a row has the defaults."""
    asked = {one.pk: one for one in customers}
    found = {one.customer_id: one for one in PayingCustomer.objects.filter(customer_id__in=asked)}
    missing = {
        pk: PayingCustomer(customer=one, organization_id=one.organization_id)
        for pk, one in asked.items()
        if pk not in found
    }
    return found | missing


def paying_customer(customer: Customer) -> PayingCustomer:
    return paying_customers([customer])[customer.pk]


def customer_known_to_stripe(organization_id: int) -> str | None:
    """Stripe's id of the customer of the organization who was last made known to it; None where nobody is."""
    known = PayingCustomer.objects.filter(organization_id=organization_id).exclude(stripe_customer="")
    return known.order_by("-pk").values_list("stripe_customer", flat=True).first()


def provider_name(paying: PayingCustomer, policy: CollectionPolicy) -> str:
    """Whom a customer pays by: its own choice, or the organization's."""
    return str(paying.provider or policy.provider)


def collecting_organizations() -> QuerySet[CollectionPolicy]:
    return CollectionPolicy.objects.filter(is_active=True).order_by("organization_id")


def may_charge(customer: Customer, account: StripeAccount | None) -> bool:
    """Whether there is somebody to charge by, and no play money is asked for with a real key: who lives by a test clock
    is charged with a test key only."""
    return account is not None and not (account.is_live and customer.test_clock_id)


__all__ = [
    "ProviderName",
    "StripeAccountMissing",
    "collecting_organizations",
    "customer_known_to_stripe",
    "may_charge",
    "paying_customer",
    "paying_customers",
    "policy_of",
    "provider_name",
    "stripe_account_of",
    "terms_of",
]
