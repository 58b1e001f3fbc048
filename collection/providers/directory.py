"""Which provider a customer pays by."""

from __future__ import annotations

from collection.models import CollectionPolicy, PayingCustomer, StripeAccount
from collection.models.accounts import ProviderName
from collection.providers.contract import Provider
from collection.providers.manual import Manual
from collection.providers.stripe_provider import Stripe
from collection.queries.accounts import may_charge, provider_name, stripe_account_of


def stripe_of(organization_id: int) -> Stripe:
    """The organization's Stripe. Raises `StripeAccountMissing`, `SecretUnreadable`."""
    return Stripe(stripe_account_of(organization_id))


def provider_of(paying: PayingCustomer, policy: CollectionPolicy) -> Provider:
    """Manual where the customer or its organization says so, or where there is no account to charge it by."""
    return providers_of(policy).of(paying)


class Providers:
    """The providers of one organization, each made once."""

    def __init__(self, policy: CollectionPolicy) -> None:
        self._policy, self._manual = policy, Manual()
        self._account = StripeAccount.objects.filter(organization_id=policy.organization_id).first()
        self._stripe: Stripe | None = None

    def of(self, paying: PayingCustomer) -> Provider:
        chosen = provider_name(paying, self._policy)
        if chosen != ProviderName.STRIPE or self._account is None or not may_charge(paying.customer, self._account):
            return self._manual
        return self.stripe

    @property
    def stripe(self) -> Stripe:
        if self._stripe is None:
            self._stripe = stripe_of(self._policy.organization_id)
        return self._stripe


def providers_of(policy: CollectionPolicy) -> Providers:
    return Providers(policy)
