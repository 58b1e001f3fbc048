"""Writing down that money is to go back by the provider it came by, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.facade import Payment
from collection.models import ProviderCall, ProviderDispute, ProviderPayment, ProviderRefund
from collection.models.calls import CallKind, CallState, provider_call_id
from collection.providers.directory import stripe_of
from collection.queries.refundable import held_of, refundable
from collection.services.notices import announce_failed_refund

#: A refund that is not sent, since an open dispute holds its money.
PAYMENT_DISPUTED = "payment_disputed"


def refund_by_provider(*, payment: Payment, now: datetime) -> list[ProviderCall]:
    """Have a refund of our books (a negative payment) made by the provider of the money it gives back.

    What did not come by a provider, a person has to send; what the provider told us of needs no call.
    """
    told = {"organization_id": payment.organization_id, "provider_id": payment.reference}
    if payment.reference and (
        ProviderRefund.objects.filter(**told).exists() or ProviderDispute.objects.filter(**told).exists()
    ):
        return []
    sources = ProviderPayment.objects.filter(organization_id=payment.organization_id, invoice_id=payment.invoice_id)
    if payment.refund_of_id:
        sources = sources.filter(payment_id=payment.refund_of_id)
    found = list(sources.order_by("-id"))
    return order_refunds(sources=found, amount=-payment.amount, payment=payment, reason="refund", now=now)


def order_refunds(
    *, sources: Sequence[ProviderPayment], amount: Decimal, payment: Payment | None, reason: str, now: datetime
) -> list[ProviderCall]:
    """Have up to `amount` of payments refunded: what is refundable is sent; what open disputes hold beyond that is
    stored as a failed call, to be repeated once the dispute is won. The rest is no longer at the provider.

    Raises `AmountNotChargeable`.
    """
    calls, wanted = [], amount
    for make, most in ((order_refund, refundable), (_hold_refund, held_of)):
        for source in sources:
            if (part := min(wanted, most(source))) > 0:
                calls.append(make(source=source, amount=part, payment=payment, reason=reason, now=now))
                wanted -= part
    return calls


def order_refund(
    *, source: ProviderPayment, amount: Decimal, payment: Payment | None, reason: str, now: datetime
) -> ProviderCall:
    """Have `amount` of a payment given back. Raises `AmountNotChargeable`."""
    call_id = provider_call_id()
    request = stripe_of(source.organization_id).refund_request(
        call_id=call_id, payment=source, amount=amount, reason=reason
    )
    return ProviderCall.objects.create(
        id=call_id,
        organization_id=source.organization_id,
        kind=CallKind.REFUND,
        customer_id=source.invoice.customer_id,
        invoice_id=source.invoice_id,
        provider_payment=source,
        payment=payment,
        amount=amount,
        currency=source.currency,
        idempotency_key=f"taximeter-{call_id}",
        request=request,
        created_at=now,
    )


def _hold_refund(
    *, source: ProviderPayment, amount: Decimal, payment: Payment | None, reason: str, now: datetime
) -> ProviderCall:
    """Store a refund that cannot be made now, and announce that it failed. Raises `AmountNotChargeable`."""
    call = order_refund(source=source, amount=amount, payment=payment, reason=reason, now=now)
    call.state, call.finished_at, call.error_code = CallState.FAILED, now, PAYMENT_DISPUTED
    call.error_detail = "An open dispute holds this part of the payment. Repeat the refund once the dispute is won"
    call.save(update_fields=["state", "finished_at", "error_code", "error_detail"])
    announce_failed_refund(call, now)
    return call
