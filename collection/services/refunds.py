"""Writing down that money is to go back by the provider it came by, within the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from billing.facade import Payment
from collection.models import ProviderCall, ProviderDispute, ProviderPayment, ProviderRefund
from collection.models.calls import OPEN_STATES, CallKind, CallState, provider_call_id
from collection.providers.directory import stripe_of
from collection.queries.comparison import left_of


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
    calls, wanted = [], -payment.amount
    for source in sources.order_by("-id"):
        if (part := min(wanted, refundable(source))) > 0:
            calls.append(order_refund(source=source, amount=part, payment=payment, reason="refund", now=now))
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


def refundable(source: ProviderPayment) -> Decimal:
    """What of a payment did not go back, and is not about to."""
    under_way = ProviderCall.objects.filter(
        provider_payment=source, kind=CallKind.REFUND, state__in=[*OPEN_STATES, CallState.UNKNOWN]
    )
    return left_of(source) - (under_way.aggregate(sum=Sum("amount"))["sum"] or 0)
