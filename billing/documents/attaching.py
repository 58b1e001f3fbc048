"""Invoices as files that go with mail."""

from __future__ import annotations

from billing.documents.making import invoice_pdf
from billing.invoicing.queries import get_invoice
from notifications.facade import Attachment


def attach_invoice_pdf(organization_id: int, invoice: str) -> Attachment:
    """The PDF of the invoice with this id; `NotFoundError` with code `invoice_not_found`."""
    found = get_invoice(organization_id=organization_id, invoice=invoice)
    return Attachment(f"{found.number or found.pk}.pdf", "application/pdf", invoice_pdf(found))
