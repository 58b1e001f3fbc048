"""Making invoices: stored as drafts within the transaction that priced them, then numbered and finalized."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from billing.announcing import tell, tell_of
from billing.models import BillingRun, Invoice, InvoiceLine, LateUsage
from billing.models.invoices import InvoiceStatus, LineRole
from billing.models.late import LateUsageResolution
from billing.models.policy import ZeroAmountPolicy
from billing.queries.policy import policy_of
from billing.queries.rating import PricedInvoice, current_snapshot
from billing.services.ledger import post_invoices
from billing.services.letters import send_invoices
from billing.services.sellers import record_identities
from billing.services.uses import leave_balances, record_uses, release_uses
from billing.watching import watchers
from kernel.errors import ConflictError

_NEXT_NUMBERS = """
INSERT INTO billing_invoicecounter AS counter (organization_id, last) VALUES (%s, %s)
ON CONFLICT (organization_id) DO UPDATE SET last = counter.last + EXCLUDED.last
RETURNING last
"""

_FINALIZE = """
UPDATE billing_invoice AS invoice
SET number = v.number, status = v.status, finalized_at = %s, due_at = %s, paid_at = v.paid_at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS v (id, number, status, paid_at)
WHERE invoice.id = v.id
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
    invoices = store_drafts(organization_id=organization_id, priced=priced, run=run, now=now)
    finalize_drafts(organization_id=organization_id, invoices=invoices, now=now)
    return invoices


def store_drafts(
    *, organization_id: int, priced: Sequence[PricedInvoice], run: BillingRun | None, now: datetime
) -> list[Invoice]:
    """Priced invoices as drafts, in the transaction that read the usage; each waits for the end of its grace period,
    counted from when it fell due."""
    if not priced:
        return []
    grace = timedelta(hours=policy_of(organization_id).grace_hours)
    invoices = [_draft(organization_id, one, run, one.bill.due_at + grace, now) for one in priced]
    _price(invoices, priced)
    Invoice.objects.bulk_create(invoices)
    _store_contents(invoices, priced, now)
    tell("invoice.created", invoices, at=now)
    return invoices


def replace_drafts(*, invoices: Sequence[Invoice], priced: Sequence[PricedInvoice], now: datetime) -> None:
    """Give drafts whose contents were discarded those they have when priced anew, in the transaction that read the
    usage."""
    _price(invoices, priced)
    Invoice.objects.bulk_update(invoices, [*_AMOUNTS, "log_snapshot", "tax_treatment"])
    _store_contents(invoices, priced, now)


def discard_contents(*, invoices: Sequence[Invoice], now: datetime) -> None:
    """Take drafts' lines away, and let go of what they had used up."""
    late = LateUsage.objects.filter(adjustment__invoice__in=invoices)
    late.update(resolution=LateUsageResolution.OPEN, adjustment=None, resolved_at=None)
    release_uses(invoices=invoices, now=now)
    InvoiceLine.objects.filter(invoice__in=invoices).delete()


def finalize_drafts(*, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None:
    """Number drafts in their order, without a gap, and finalize them; one over nothing is paid at once, or skipped
    where that is the organization's policy. The caller's transaction holds them."""
    policy = policy_of(organization_id)
    skips = policy.zero_amount == ZeroAmountPolicy.SKIP
    numbered = [one for one in invoices if not (skips and one.total == 0 and one.credits_applied == 0)]
    with connection.cursor() as cursor:
        if numbered:
            cursor.execute(_NEXT_NUMBERS, [organization_id, len(numbered)])
            for number, invoice in enumerate(numbered, start=cursor.fetchone()[0] - len(numbered) + 1):
                invoice.number = invoice_number(number)
        for invoice in invoices:
            is_paid = invoice.amount_due == 0
            invoice.status = InvoiceStatus.PAID if is_paid else InvoiceStatus.FINALIZED
            if invoice.number is None:
                invoice.status = InvoiceStatus.SKIPPED
            invoice.finalized_at, invoice.due_at = now, now + timedelta(days=policy.payment_days)
            invoice.paid_at = now if invoice.status == InvoiceStatus.PAID else None
        columns = [[getattr(one, name) for one in invoices] for name in ("id", "number", "status", "paid_at")]
        cursor.execute(_FINALIZE, [now, now + timedelta(days=policy.payment_days), *columns])
    leave_balances(invoices=numbered, now=now)
    post_invoices(invoices=numbered)
    record_identities(organization_id=organization_id, invoices=numbered, now=now)
    paid = [one for one in numbered if one.status == InvoiceStatus.PAID]
    tell_of({"invoice.finalized": numbered, "invoice.paid": paid}, at=now)
    send_invoices(organization_id=organization_id, invoices=numbered, now=now)
    for watcher in watchers():
        watcher.invoices_finalized(organization_id=organization_id, invoices=numbered, now=now)


def _draft(
    organization_id: int, one: PricedInvoice, run: BillingRun | None, finalize_at: datetime, now: datetime
) -> Invoice:
    return Invoice(
        organization_id=organization_id,
        customer=one.customer,
        subscription=one.subscription,
        billing_run=run,
        kind=one.bill.kind,
        month=str(one.bill.month),
        currency=one.currency,
        period_start=one.period.start,
        period_end=one.period.end,
        created_at=now,
        finalize_at=max(finalize_at, now),
    )


_AMOUNTS = ("subtotal", "discount", "tax", "total", "credits_applied", "amount_due")


def _price(invoices: Sequence[Invoice], priced: Sequence[PricedInvoice]) -> None:
    snapshot = current_snapshot()
    for invoice, one in zip(invoices, priced, strict=True):
        for name in _AMOUNTS:
            setattr(invoice, name, getattr(one, name))
        invoice.log_snapshot, invoice.tax_treatment = snapshot, one.customer.tax_treatment


def _store_contents(invoices: Sequence[Invoice], priced: Sequence[PricedInvoice], now: datetime) -> None:
    lines = [_lines(invoice, one) for invoice, one in zip(invoices, priced, strict=True)]
    InvoiceLine.objects.bulk_create(line for of_invoice in lines for line in of_invoice)
    record_uses(invoices=invoices, lines=lines, priced=priced, now=now)
    for of_invoice, one in zip(lines, priced, strict=True):
        for stored, line in zip(of_invoice, one.lines, strict=True):
            if line.late_usage_id is not None:
                LateUsage.objects.filter(pk=line.late_usage_id).update(
                    resolution=LateUsageResolution.ADJUSTED, adjustment=stored, resolved_at=now
                )


def _lines(invoice: Invoice, one: PricedInvoice) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            invoice=invoice,
            position=position,
            price=line.price,
            kind=line.price.kind if line.price else LineRole.ONE_OFF,
            role=line.role,
            adjusts_id=line.adjusts_id,
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
