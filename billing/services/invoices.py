"""Making invoices, and what may still happen to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from billing.models import BillingRun, Invoice, InvoiceLine
from billing.models.invoices import InvoiceStatus, LineRole
from billing.queries.rating import PricedInvoice, current_snapshot
from billing.services.ledger import post_invoices
from billing.services.uses import leave_balances, record_uses
from kernel.errors import ConflictError

#: Days until a finalized invoice is due.
PAYMENT_DAYS = 30

_NEXT_NUMBERS = """
INSERT INTO billing_invoicecounter AS counter (organization_id, last) VALUES (%s, %s)
ON CONFLICT (organization_id) DO UPDATE SET last = counter.last + EXCLUDED.last
RETURNING last
"""


class InvoiceStateConflict(ConflictError):
    code = "invoice_state"


def issue_invoices(
    *, organization_id: int, priced: Sequence[PricedInvoice], run: BillingRun | None, now: datetime
) -> list[Invoice]:
    """Store and finalize priced invoices, numbered in their order without a gap.

    Runs within the caller's transaction, the one that read the usage: prices, invoices and numbers
    come to be together or not at all.
    """
    if not priced:
        return []
    snapshot = current_snapshot()
    invoices = [_draft(organization_id, one, run, snapshot, now) for one in priced]
    Invoice.objects.bulk_create(invoices)
    lines = [_lines(invoice, one) for invoice, one in zip(invoices, priced, strict=True)]
    stored = InvoiceLine.objects.bulk_create(line for of_invoice in lines for line in of_invoice)
    record_uses(invoices=invoices, lines=lines, priced=priced, now=now)
    _finalize(organization_id, invoices, now)
    leave_balances(invoices=invoices, now=now)
    post_invoices(invoices=invoices, lines=stored)
    return invoices


def _draft(organization_id: int, one: PricedInvoice, run: BillingRun | None, snapshot: str, now: datetime) -> Invoice:
    return Invoice(
        organization_id=organization_id,
        customer=one.customer,
        subscription=one.subscription,
        billing_run=run,
        kind=one.bill.kind,
        month=str(one.bill.month),
        currency=one.currency,
        tax_treatment=one.customer.tax_treatment,
        period_start=one.period.start,
        period_end=one.period.end,
        subtotal=one.subtotal,
        discount=one.discount,
        tax=one.tax,
        total=one.total,
        credits_applied=one.credits_applied,
        amount_due=one.amount_due,
        log_snapshot=snapshot,
        created_at=now,
    )


def _lines(invoice: Invoice, one: PricedInvoice) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            invoice=invoice,
            position=position,
            price=line.price,
            kind=line.price.kind if line.price else LineRole.ONE_OFF,
            role=line.role,
            description=line.description,
            quantity=line.rated.quantity,
            unit_amount=line.rated.unit_amount,
            units=line.rated.units,
            amount=line.rated.amount,
            discount=line.discount,
            tax_rate=line.tax_rate,
            tax=line.tax,
            period_start=line.period.start,
            period_end=line.period.end,
            breakdown=[row.to_json() for row in line.rated.breakdown],
            steps=[step.to_json() for step in line.rated.steps],
            meter_version_id=line.meter_version_id,
            events=line.events,
        )
        for position, line in enumerate(one.lines)
    ]


def invoice_number(number: int) -> str:
    """How the `number`th invoice of an organization is named."""
    return f"INV-{number:06d}"


def _finalize(organization_id: int, invoices: list[Invoice], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_NUMBERS, [organization_id, len(invoices)])
        first = cursor.fetchone()[0] - len(invoices) + 1
    for number, invoice in enumerate(invoices, start=first):
        invoice.number = invoice_number(number)
        invoice.status = InvoiceStatus.FINALIZED
        invoice.finalized_at = now
        invoice.due_at = now + timedelta(days=PAYMENT_DAYS)
    Invoice.objects.bulk_update(invoices, ["number", "status", "finalized_at", "due_at"])
