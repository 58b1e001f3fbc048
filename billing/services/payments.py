"""What may still happen to a finalized invoice: it is paid, voided, or written off."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.models import Invoice
from billing.models.invoices import InvoiceStatus
from billing.services.invoices import InvoiceStateConflict


def pay_invoice(*, invoice: Invoice, now: datetime) -> Invoice:
    """Note that a finalized invoice was paid in full. Paying a paid one again changes nothing."""
    return _change(invoice, InvoiceStatus.PAID, allowed=[InvoiceStatus.FINALIZED, InvoiceStatus.UNCOLLECTIBLE], now=now)


def void_invoice(*, invoice: Invoice, now: datetime) -> Invoice:
    """Void a finalized, unpaid invoice. It keeps its number and lines, and nothing is due any more."""
    return _change(invoice, InvoiceStatus.VOID, allowed=[InvoiceStatus.FINALIZED, InvoiceStatus.UNCOLLECTIBLE], now=now)


def _change(invoice: Invoice, status: InvoiceStatus, *, allowed: list[InvoiceStatus], now: datetime) -> Invoice:
    with transaction.atomic():
        locked = Invoice.objects.select_for_update(of=("self",)).get(pk=invoice.pk)
        if locked.status == status:
            return locked
        if locked.status not in allowed:
            raise InvoiceStateConflict(f"An invoice that is {locked.status} cannot become {status}")
        locked.status, locked.amount_due = status, 0
        stamp = "paid_at" if status is InvoiceStatus.PAID else "voided_at"
        setattr(locked, stamp, now)
        locked.save(update_fields=["status", "amount_due", stamp])
    return locked
