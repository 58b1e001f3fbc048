"""From the tables to what a document says."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from billing.customers.queries import payment_link
from billing.documents.issued import IssuedDocument, IssuedLine
from billing.documents.languages import Language, days_of, language_of
from billing.documents.lines import lines_of
from billing.documents.parties import buyer_of, seller_of
from billing.models import CreditNote, Invoice, InvoiceIdentity


def issued_invoice(invoice: Invoice, identity: InvoiceIdentity) -> IssuedDocument:
    """`invoice` with its customer and lines loaded, of whatever status."""
    zone, language = invoice.customer.timezone, _language(identity)
    issued_at = invoice.finalized_at or invoice.created_at
    return IssuedDocument(
        number=invoice.number or "",
        status=invoice.status,
        issued_on=_day(issued_at, zone),
        created_at=issued_at,
        period=days_of(invoice.period_start, invoice.period_end, zone),
        currency=invoice.currency,
        tax_treatment=invoice.tax_treatment,
        language=language,
        profile=identity.seller,
        seller=seller_of(identity.seller),
        buyer=buyer_of(identity),
        customer_key=invoice.customer.key,
        lines=lines_of(invoice, language),
        due_on=_day(invoice.due_at, zone) if invoice.due_at else None,
        paid_on=_day(invoice.paid_at, zone) if invoice.paid_at else None,
        prepaid=invoice.credits_applied,
        payment_link=payment_link(identity.seller, invoice),
    )


def issued_credit_note(note: CreditNote, identity: InvoiceIdentity) -> IssuedDocument:
    """`note` between the seller and the buyer of its invoice, whose lines it takes back in part."""
    invoice, language = note.invoice, _language(identity)
    zone = invoice.customer.timezone
    assert invoice.finalized_at is not None, "only what is final is corrected"
    goes_to = ((word, getattr(note, word)) for word in ("applied", "credited", "refunded"))
    return IssuedDocument(
        number=note.number,
        status="finalized",
        issued_on=_day(note.issued_at, zone),
        created_at=note.issued_at,
        period=days_of(invoice.period_start, invoice.period_end, zone),
        currency=note.currency,
        tax_treatment=invoice.tax_treatment,
        language=language,
        profile=identity.seller,
        seller=seller_of(identity.seller),
        buyer=buyer_of(identity),
        customer_key=invoice.customer.key,
        lines=_credited_lines(note, zone),
        corrects=(invoice.number or "", _day(invoice.finalized_at, zone)),
        reason=note.reason,
        goes_to=tuple((word, amount) for word, amount in goes_to if amount),
    )


def _credited_lines(note: CreditNote, zone: str) -> list[IssuedLine]:
    rows = note.lines.select_related("line__price").order_by("line__position")
    return [
        IssuedLine(
            position=position,
            description=row.line.description,
            period=days_of(row.line.period_start, row.line.period_end, zone),
            amount=row.amount,
            tax=row.tax,
            tax_rate=row.line.tax_rate,
            price_key=row.line.price.key if row.line.price else "",
        )
        for position, row in enumerate(rows)
    ]


def _language(identity: InvoiceIdentity) -> Language:
    return language_of(identity.buyer.get("locale") or identity.seller.locale)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
