"""What a provider's answer does, stored with it in one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from billing.facade import Invoice, lock_invoice
from collection.models import PayingCustomer, ProviderCall
from collection.models.calls import CallKind, CallState, provider_call_id
from collection.providers.contract import DONE, UNDER_WAY, Answer
from collection.services.dunning import charge_anew, note_failed_charge
from collection.services.money import take_payment, take_refund
from collection.services.notices import announce_failed_refund
from collection.services.refunds import order_refunds

#: The provider was asked after a day and had not heard of the call.
NEVER_ARRIVED = "never_arrived"

#: How often the provider is asked about what is under way there, such as a bank debit.
_LOOK_AGAIN = timedelta(hours=1)

#: A charge may have succeeded by a webhook while its call was given up: nothing more is to be stored.
_FINISHED = (CallState.SUCCEEDED, CallState.CANCELLED)


def store_answer(*, call_id: str, answer: Answer, now: datetime) -> None:
    """Finish a call by its answer. An answer that comes after the outcome is known changes nothing."""
    with transaction.atomic():
        invoice_id = ProviderCall.objects.values_list("invoice_id", flat=True).get(pk=call_id)
        invoice = lock_invoice(Invoice(pk=invoice_id)) if invoice_id else None
        call = ProviderCall.objects.select_for_update(of=("self",)).get(pk=call_id)
        if call.state in _FINISHED:
            return
        if answer.state == UNDER_WAY:
            call.state, call.provider_id, call.next_try_at = CallState.PENDING, answer.provider_id, now + _LOOK_AGAIN
            call.save(update_fields=["state", "provider_id", "next_try_at"])
        elif answer.state == DONE:
            _succeed(call, answer, now)
        elif call.state != CallState.FAILED:
            _fail(call, invoice, answer, now)


def _succeed(call: ProviderCall, answer: Answer, now: datetime) -> None:
    if call.kind == CallKind.CHARGE:
        take_payment(organization_id=call.organization_id, intent=answer.data, now=now)
    elif call.kind == CallKind.REFUND:
        take_refund(organization_id=call.organization_id, refund=answer.data, now=now)
    elif call.kind == CallKind.CUSTOMER:
        PayingCustomer.objects.update_or_create(
            customer_id=call.customer_id,
            defaults={
                "organization_id": call.organization_id,
                "stripe_customer": answer.provider_id,
                "deleted_at_provider": None,
            },
        )
    call.state, call.provider_id, call.finished_at = CallState.SUCCEEDED, answer.provider_id, now
    call.next_try_at, call.error_code, call.error_detail = None, "", ""
    call.save()


def _fail(call: ProviderCall, invoice: Invoice | None, answer: Answer, now: datetime) -> None:
    call.state, call.provider_id, call.finished_at = CallState.FAILED, answer.provider_id, now
    call.error_code, call.error_detail, call.next_try_at = answer.code, answer.detail, None
    call.save()
    if answer.code == NEVER_ARRIVED:
        _order_again(call, invoice, now)
    elif call.kind == CallKind.CHARGE:
        assert invoice is not None, "a charge is for an invoice"
        note_failed_charge(call=call, invoice=invoice, now=now)
    elif call.kind == CallKind.REFUND:
        announce_failed_refund(call, now)


def _order_again(call: ProviderCall, invoice: Invoice | None, now: datetime) -> None:
    """The same under a new key: the old one may be forgotten, or bring back an error of a day ago."""
    if call.kind == CallKind.CHARGE and invoice is not None:
        charge_anew(invoice=invoice, now=now)
        return
    if call.kind == CallKind.REFUND and call.provider_payment is not None and call.amount is not None:
        # Some of it may have gone back another way meanwhile, or be held by a dispute or lost in it.
        reason = "refund" if call.payment_id else "surplus"
        source = [call.provider_payment]
        order_refunds(sources=source, amount=call.amount, payment=call.payment, reason=reason, now=now)
        return
    call_id = provider_call_id()
    request = dict(call.request)
    if "metadata" in request:
        request["metadata"] = request["metadata"] | {"taximeter_call": call_id}
    ProviderCall.objects.create(
        id=call_id,
        idempotency_key=f"taximeter-{call_id}",
        request=request,
        created_at=now,
        **{
            name: getattr(call, name)
            for name in (
                "organization_id",
                "kind",
                "customer_id",
                "invoice_id",
                "provider_payment_id",
                "payment_id",
                "amount",
                "currency",
            )
        },
    )
