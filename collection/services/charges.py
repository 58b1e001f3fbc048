"""Writing down that an invoice is to be charged, within the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from billing.facade import Invoice
from collection.domain.minor_units import AmountNotChargeable
from collection.models import PayingCustomer, ProviderCall
from collection.models.calls import OPEN_STATES, CallKind, CallState, provider_call_id
from collection.providers.contract import Provider

#: A charge whose outcome nobody knows keeps others from being made.
HELD = (*OPEN_STATES, CallState.UNKNOWN)


def order_charge(*, invoice: Invoice, paying: PayingCustomer, provider: Provider, now: datetime) -> ProviderCall | None:
    """Have what is due of a locked (or new) invoice charged; None where there is nothing to charge it by.

    The charge that is open already, if there is one, is answered instead. Raises `AmountNotChargeable`.
    """
    if found := ProviderCall.objects.filter(invoice=invoice, kind=CallKind.CHARGE, state__in=HELD).first():
        return found
    call = new_charge(invoice=invoice, paying=paying, provider=provider, now=now)
    if call is not None:
        call.save(force_insert=True)
    return call


def new_charge(*, invoice: Invoice, paying: PayingCustomer, provider: Provider, now: datetime) -> ProviderCall | None:
    """The call that would charge what is due, not stored. Its key is its own, so that a refusal is not replayed."""
    call_id = provider_call_id()
    request = provider.charge_request(call_id=call_id, invoice=invoice, paying=paying, amount=invoice.amount_due)
    if request is None:
        return None
    return ProviderCall(
        id=call_id,
        organization_id=invoice.organization_id,
        kind=CallKind.CHARGE,
        customer_id=invoice.customer_id,
        invoice=invoice,
        amount=invoice.amount_due,
        currency=invoice.currency,
        idempotency_key=f"taximeter-{call_id}",
        request=request,
        created_at=now,
    )


__all__ = ["HELD", "AmountNotChargeable", "new_charge", "order_charge"]
