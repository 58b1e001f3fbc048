"""Taking over what the provider says happened to money: payments, refunds and disputes, each once.

An answer to a call and a webhook both lead here, in any order and as often as they like: what a thing of the provider's
did to our books is a row with its id, made in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.facade import (
    Invoice,
    Payment,
    lock_invoice,
    paid_for,
    pay_invoice,
    payments_of,
    refund_payment,
    write_off_invoice,
)
from collection.domain.minor_units import from_minor_units
from collection.models import ProviderCall, ProviderDispute, ProviderPayment, ProviderRefund
from collection.models.accounts import LostDispute
from collection.models.calls import CallState
from collection.queries.accounts import policy_of
from collection.queries.refundable import CLOSED_DISPUTES, NOT_GIVEN
from collection.services.notices import announce_dispute, announce_failed_refund
from collection.services.refunds import order_refund
from collection.services.times import time_of

#: How far a refund is; it never goes back.
_REFUND_ORDER = ("requires_action", "pending", "succeeded", "failed", "canceled")


def reference(found: Mapping[str, Any], name: str) -> str:
    """The id that an object refers to by `name`, whether it came as an id or whole."""
    value = found.get(name)
    return str(value["id"] if isinstance(value, Mapping) else value or "")


def take_payment(*, organization_id: int, intent: Mapping[str, Any], now: datetime) -> ProviderPayment | None:
    """Note a payment that succeeded at the provider, as far as it was due; what came beyond goes back. None where it is
    for no invoice of this organization."""
    metadata = intent.get("metadata") or {}
    invoice = (
        Invoice.objects.select_related("organization")
        .filter(organization_id=organization_id, pk=metadata.get("taximeter_invoice", ""))
        .first()
    )
    if invoice is None or metadata.get("taximeter_organization") != invoice.organization.public_id:
        return None
    with transaction.atomic():
        locked = lock_invoice(invoice)
        known = ProviderPayment.objects.filter(organization_id=organization_id, provider_id=intent["id"]).first()
        if known is None:
            known = _store_payment(locked, intent, time_of(locked.customer, now))
        _close_call(metadata, provider_id=intent["id"], now=now)
    return known


def _store_payment(invoice: Invoice, intent: Mapping[str, Any], now: datetime) -> ProviderPayment:
    currency = str(intent["currency"]).upper()
    amount = from_minor_units(int(intent["amount_received"]), currency)
    is_owed = invoice.status in {"finalized", "uncollectible"} and currency == invoice.currency
    applied = min(amount, max(invoice.amount_due, Decimal(0))) if is_owed else Decimal(0)
    payment = None
    if applied:
        of_stripe: dict[str, Any] = {"method": "stripe", "reference": str(intent["id"]), "actor": "stripe"}
        pay_invoice(invoice=invoice, now=now, amount=applied, **of_stripe)
        payment = payments_of(invoice.organization_id, invoice_id=invoice.pk).filter(reference=intent["id"]).last()
    made = ProviderPayment.objects.create(
        organization_id=invoice.organization_id,
        invoice=invoice,
        payment=payment,
        provider_id=intent["id"],
        charge_id=reference(intent, "latest_charge"),
        amount=amount,
        surplus=amount - applied,
        currency=currency,
        received_at=_instant(intent["created"]),
    )
    if made.surplus:
        order_refund(source=made, amount=made.surplus, payment=None, reason="surplus", now=now)
    return made


def take_refund(*, organization_id: int, refund: Mapping[str, Any], now: datetime) -> ProviderRefund | None:
    """Note a refund as the provider has it now. One that we did not ask for is made in our books too. None where its
    payment is none of ours."""
    source = _source(organization_id, refund)
    if source is None:
        return None
    with transaction.atomic():
        invoice = lock_invoice(source.invoice)
        known = ProviderRefund.objects.filter(organization_id=organization_id, provider_id=refund["id"]).first()
        call = ProviderCall.objects.filter(pk=(refund.get("metadata") or {}).get("taximeter_call", "")).first()
        if known is None:
            known = ProviderRefund.objects.create(
                organization_id=organization_id,
                provider_payment=source,
                provider_id=refund["id"],
                amount=from_minor_units(int(refund["amount"]), source.currency),
                status=refund["status"],
                payment=call.payment if call else None,
                created_at=_instant(refund["created"]),
            )
            if call is None and known.status not in NOT_GIVEN:
                known.payment = _refund_here(source, known.amount, known.provider_id, time_of(invoice.customer, now))
        elif _REFUND_ORDER.index(refund["status"]) > _REFUND_ORDER.index(known.status):
            known.status = refund["status"]
        known.save()
        if known.status in NOT_GIVEN:
            _fail_refund(known, call, refund, now)
        else:
            _close_call(refund.get("metadata") or {}, provider_id=refund["id"], now=now)
    return known


def _refund_here(source: ProviderPayment, amount: Decimal, provider_id: str, now: datetime) -> Payment | None:
    """Note that `amount` of a payment went back, as far as our books have it."""
    payment = source.payment
    if payment is None:
        return None
    given = sum((-one.amount for one in payment.refunds.all()), Decimal(0))
    amount = min(amount, payment.amount - given, paid_for(source.invoice))
    if amount <= 0:
        return None
    return refund_payment(payment=payment, now=now, amount=amount, reference=provider_id, actor="stripe")


def _fail_refund(known: ProviderRefund, call: ProviderCall | None, refund: Mapping[str, Any], now: datetime) -> None:
    """Money that was to go back did not. Our books keep the refund, since it is owed: it is to be made again."""
    if call is None or call.state == CallState.FAILED:
        return
    call.state, call.provider_id, call.finished_at = CallState.FAILED, known.provider_id, now
    call.error_code = str(refund.get("failure_reason") or known.status)
    call.save(update_fields=["state", "provider_id", "finished_at", "error_code"])
    announce_failed_refund(call, now)


def take_dispute(*, organization_id: int, dispute: Mapping[str, Any], now: datetime) -> ProviderDispute | None:
    """Note a dispute as it stands. One that is lost takes the money back; what then becomes of the invoice is the
    organization's choice. None where its payment is none of ours."""
    source = _source(organization_id, dispute)
    if source is None:
        return None
    with transaction.atomic():
        invoice = lock_invoice(source.invoice)
        known, is_new = ProviderDispute.objects.get_or_create(
            organization_id=organization_id,
            provider_id=dispute["id"],
            defaults={
                "provider_payment": source,
                "amount": from_minor_units(int(dispute["amount"]), str(dispute["currency"])),
                "reason": dispute.get("reason") or "",
                "status": dispute["status"],
                "created_at": _instant(dispute["created"]),
            },
        )
        if known.status not in CLOSED_DISPUTES:
            known.status = dispute["status"]
        if known.status == "lost" and known.payment is None:
            _lose(known, source, time_of(invoice.customer, now))
        known.save()
        if is_new:
            announce_dispute(known, time_of(invoice.customer, now))
    return known


def _lose(dispute: ProviderDispute, source: ProviderPayment, now: datetime) -> None:
    dispute.payment = _refund_here(source, dispute.amount, dispute.provider_id, now)
    invoice = lock_invoice(source.invoice)
    writes_off = policy_of(dispute.organization_id).lost_dispute == LostDispute.WRITE_OFF
    if writes_off and invoice.status == "finalized" and invoice.amount_due > 0:
        write_off_invoice(invoice=invoice, now=now, actor="stripe")


def _source(organization_id: int, found: Mapping[str, Any]) -> ProviderPayment | None:
    intent = reference(found, "payment_intent")
    rows = ProviderPayment.objects.filter(organization_id=organization_id, provider_id=intent)
    return rows.select_related("invoice", "payment").first() if intent else None


def _close_call(metadata: Mapping[str, Any], *, provider_id: str, now: datetime) -> None:
    """The call that made this has succeeded, whatever else is known of it."""
    done = {"state": CallState.SUCCEEDED, "provider_id": provider_id, "finished_at": now, "next_try_at": None}
    ProviderCall.objects.filter(pk=metadata.get("taximeter_call", "")).exclude(state=CallState.SUCCEEDED).update(
        **done, error_code="", error_detail=""
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
