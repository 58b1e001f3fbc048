"""Invoices and credit notes as files."""

from __future__ import annotations

import typst

from billing.customers.sellers import identity_of
from billing.documents.content import content_of
from billing.documents.e_invoice import CustomerIncomplete, EInvoiceImpossible, SellerProfileIncomplete, business_terms
from billing.documents.factur_x import announce_attachment, xml_of
from billing.documents.issued import IssuedDocument
from billing.documents.reading import issued_credit_note, issued_invoice
from billing.documents.typesetting import typeset
from billing.invoicing.issuing import InvoiceStateConflict
from billing.invoicing.models import InvoiceStatus
from billing.models import CreditNote, Invoice

_NO_E_INVOICE = (SellerProfileIncomplete, CustomerIncomplete, EInvoiceImpossible)


def invoice_pdf(invoice: Invoice, *, plain: bool = False) -> bytes:
    """The invoice as PDF: a Factur-X one where all that EN 16931 asks for is there, unless it is to be `plain`.

    The same invoice in the same state always gives the same bytes. Raises `InvoiceStateConflict` for one that was
    skipped, since nobody was sent it.
    """
    if invoice.status == InvoiceStatus.SKIPPED:
        raise InvoiceStateConflict("Nothing was owed, and no invoice was issued over it")
    return file_of(issued_invoice(invoice, identity_of(invoice)), with_xml=_is_in_force(invoice) and not plain)


def invoice_xml(invoice: Invoice) -> bytes:
    """The invoice as EN 16931 XML (Cross Industry Invoice).

    Raises `SellerProfileIncomplete`, `CustomerIncomplete`, `EInvoiceImpossible`, and `InvoiceStateConflict` for an
    invoice that is not issued, or void.
    """
    if not _is_in_force(invoice):
        raise InvoiceStateConflict(f"An invoice that is {invoice.status} is no e-invoice")
    return xml_of(business_terms(issued_invoice(invoice, identity_of(invoice))))


def e_invoice_problem(invoice: Invoice) -> str | None:
    """Return why a numbered invoice's PDF carries no e-invoice, None where it does, or is not to."""
    if not _is_in_force(invoice):
        return None
    try:
        invoice_xml(invoice)
    except _NO_E_INVOICE as error:
        return error.detail
    return None


def _is_in_force(invoice: Invoice) -> bool:
    return invoice.number is not None and invoice.status != InvoiceStatus.VOID


def credit_note_pdf(note: CreditNote, *, plain: bool = False) -> bytes:
    """The credit note as PDF, as `invoice_pdf`."""
    return file_of(issued_credit_note(note, identity_of(note.invoice)), with_xml=not plain)


def credit_note_xml(note: CreditNote) -> bytes:
    """The credit note as EN 16931 XML, as `invoice_xml`."""
    return xml_of(business_terms(issued_credit_note(note, identity_of(note.invoice))))


def file_of(document: IssuedDocument, *, with_xml: bool) -> bytes:
    """The PDF of a document, with its e-invoice where it may have one and can."""
    content = content_of(document)
    if with_xml:
        try:
            return announce_attachment(typeset(content, at=document.created_at, xml=xml_of(business_terms(document))))
        except (*_NO_E_INVOICE, typst.TypstError):
            pass
    return typeset(content, at=document.created_at)
