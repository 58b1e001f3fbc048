"""Mail to customers about their invoices, asked for in the transaction of what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects

from billing.customers.queries import payment_link, seller_profile_of
from billing.models import Customer, Invoice, SellerProfile
from kernel.clock import to_rfc3339
from kernel.money import round_to_currency
from notifications.facade import QueuedMail, is_address, is_attachable, queue_mails

#: The file of an invoice, where documents are made.
_PDF = "invoice_pdf"


def send_invoices(*, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None:
    """Send each customer the invoice that was just issued: where it is over something, there is an e-mail address, and
    the customer does not live by a test clock."""
    _send("invoice_issued", organization_id, [one for one in invoices if one.total], now, lambda one: one.pk)


def send_receipt(*, invoice: Invoice, at: datetime) -> None:
    """Say thanks for a payment that leaves nothing due; once for each time that this happens."""
    _send("payment_received", invoice.organization_id, [invoice], at, lambda one: f"{one.pk}:{to_rfc3339(at)}")


def letter_context(invoice: Invoice) -> dict[str, Any]:
    """What mail to a customer about an invoice is filled with: who, how much, until when, where to pay, the PDF."""
    return _context(invoice, seller_profile_of(invoice.organization_id))


def _send(kind: str, organization_id: int, invoices: Sequence[Invoice], at: datetime, key_of: Any) -> None:
    if not invoices:
        return
    prefetch_related_objects(list(invoices), "customer")
    written = [one for one in invoices if one.customer.test_clock_id is None and is_address(one.customer.email)]
    if not written:
        return
    seller = seller_profile_of(organization_id)
    queue_mails(
        [
            QueuedMail(organization_id, kind, [one.customer.email], _context(one, seller), f"{kind}:{key_of(one)}", at)
            for one in written
        ]
    )


def _context(invoice: Invoice, seller: SellerProfile) -> dict[str, Any]:
    customer: Customer = invoice.customer
    attaches = is_attachable(_PDF)
    return {
        "customer": customer.name or customer.key,
        "locale": customer.locale or seller.locale,
        "timezone": customer.timezone,
        "payment_url": payment_link(seller, invoice) or None,
        "is_attached": attaches,
        "attachments": [{"kind": _PDF, "id": invoice.pk}] if attaches else [],
        "invoice": {
            "id": invoice.pk,
            "number": invoice.number,
            "customer": customer.key,
            "currency": invoice.currency,
            "total": str(round_to_currency(invoice.total, invoice.currency)),
            "amount_due": str(round_to_currency(invoice.amount_due, invoice.currency)),
            "due_at": to_rfc3339(invoice.due_at) if invoice.due_at else None,
        },
    }
