"""Charging because somebody asks for it."""

from __future__ import annotations

from datetime import datetime

from accounts.facade import record_audit
from billing.facade import Invoice
from collection.models import ProviderCall
from collection.models.accounts import ProviderName
from collection.queries.accounts import paying_customer, policy_of, provider_name
from collection.services.customers import NothingDue
from collection.services.dunning import charge_now
from kernel.errors import ConflictError


class NotChargeable(ConflictError):
    """The customer has no payment method at a provider, or pays by itself."""

    code = "not_chargeable"


def may_be_charged(invoice: Invoice) -> bool:
    """Whether its customer has given something to charge, and is charged by a provider."""
    paying, policy = paying_customer(invoice.customer), policy_of(invoice.organization_id)
    is_charged = provider_name(paying, policy) == ProviderName.STRIPE and not paying.is_invoiced_at_stripe
    return is_charged and bool(paying.payment_method)


def ask_to_charge(*, invoice: Invoice, now: datetime, actor: str) -> ProviderCall:
    """Have an invoice charged now, whatever its schedule.

    Raises `NothingDue`, `NotChargeable`, `AmountNotChargeable`.
    """
    if invoice.status not in {"finalized", "uncollectible"} or invoice.amount_due <= 0:
        raise NothingDue("Nothing is due of this invoice")
    call = charge_now(invoice=invoice, now=now)
    if call is None:
        raise NotChargeable("This customer has given nothing to charge, or pays by itself")
    record_audit(
        organization_id=invoice.organization_id,
        actor=actor,
        action="invoice.charge",
        target=invoice.pk,
        number=invoice.number,
        call=call.pk,
    )
    return call
