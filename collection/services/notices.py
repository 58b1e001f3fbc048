"""Telling others, in the transaction in which it happens: the organization's systems by webhook, customers by mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing.facade import Customer, Invoice, letter_context
from collection.models import InvoiceCollection, ProviderCall, ProviderDispute
from kernel.clock import to_rfc3339
from notifications.facade import Announcement, announce, is_address, queue_mail


def announce_failed_charge(call: ProviderCall, collection: InvoiceCollection, now: datetime) -> None:
    invoice = collection.invoice
    next_at = collection.next_charge_at
    failure = {"code": call.error_code, "next_charge_at": to_rfc3339(next_at) if next_at else None}
    _announce("payment.failed", invoice, now, failure)
    _mail("payment_failed", invoice, f"payment_failed:{call.pk}", now, failure | {"reason": call.error_detail})


def announce_overdue(invoice: Invoice, now: datetime) -> None:
    _announce("invoice.overdue", invoice, now)


def send_reminder(invoice: Invoice, day: int, now: datetime) -> None:
    _mail("payment_reminder", invoice, f"payment_reminder:{invoice.pk}:{day}", now, {"day": day})


def send_receipt(invoice: Invoice, now: datetime) -> None:
    _mail("payment_received", invoice, f"payment_received:{invoice.pk}:{to_rfc3339(now)}", now)


def announce_suspension(customer: Customer, now: datetime, *, is_suspended: bool) -> None:
    name = "customer.suspended" if is_suspended else "customer.reinstated"
    data = {"id": customer.pk, "key": customer.key, "is_suspended": is_suspended}
    announce([Announcement(customer.organization_id, name, customer.pk, data, now)])


def announce_dispute(dispute: ProviderDispute, now: datetime) -> None:
    fields = {"dispute": dispute.provider_id, "reason": dispute.reason, "status": dispute.status}
    _announce("payment.disputed", dispute.provider_payment.invoice, now, fields | {"amount": str(dispute.amount)})


def announce_failed_refund(call: ProviderCall, now: datetime) -> None:
    if call.invoice is not None:
        _announce("refund.failed", call.invoice, now, {"code": call.error_code, "amount": str(call.amount)})


def _announce(name: str, invoice: Invoice, now: datetime, fields: Mapping[str, Any] | None = None) -> None:
    data = {**_shown(invoice), **(fields or {})}
    announce([Announcement(invoice.organization_id, name, invoice.pk, data, now)])


def _mail(kind: str, invoice: Invoice, key: str, now: datetime, fields: Mapping[str, Any] | None = None) -> None:
    address = invoice.customer.email
    if invoice.customer.test_clock_id is not None or not is_address(address):
        return
    context = {**letter_context(invoice), **(fields or {})}
    queue_mail(organization_id=invoice.organization_id, kind=kind, to=[address], context=context, key=key, at=now)


def _shown(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.pk,
        "number": invoice.number,
        "customer": invoice.customer.key,
        "currency": invoice.currency,
        "total": str(invoice.total),
        "amount_due": str(invoice.amount_due),
        "due_at": to_rfc3339(invoice.due_at) if invoice.due_at else None,
    }
