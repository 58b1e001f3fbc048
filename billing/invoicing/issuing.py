"""Issuing invoices: stored as drafts, numbered and finalized, with the credit, coupons and charges they use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from billing.announcing import tell, tell_of
from billing.credits.grants import InvoiceDraw, granted, new_grant, record_draws, return_draws, store_grants
from billing.credits.models import GrantSource
from billing.customers.models import ZeroAmountPolicy
from billing.customers.queries import policy_of
from billing.customers.sellers import record_identities
from billing.invoicing.letters import send_invoices
from billing.invoicing.models import InvoiceStatus, LateUsageResolution, LineRole
from billing.invoicing.priced import PricedInvoice
from billing.invoicing.pricing import current_snapshot
from billing.ledger.posting import post_invoices
from billing.models import BillingRun, EmptyBill, Invoice, InvoiceDiscount, InvoiceLine, LateUsage, OneOffCharge
from billing.watching import watchers
from kernel.errors import ConflictError


def record_uses(
    *,
    invoices: Sequence[Invoice],
    lines: Sequence[Sequence[InvoiceLine]],
    priced: Sequence[PricedInvoice],
    now: datetime,
) -> None:
    """Take what stored `invoices` use, each as it was `priced` and with its stored `lines`; part of the caller's
    transaction."""
    draws: list[InvoiceDraw] = []
    discounts: list[InvoiceDiscount] = []
    charges: dict[str, InvoiceLine] = {}
    for invoice, of_invoice, one in zip(invoices, lines, priced, strict=True):
        draws += [InvoiceDraw(draw.grant_id, draw.amount, invoice.pk) for draw in one.draws]
        for line, stored in zip(one.lines, of_invoice, strict=True):
            draws += [InvoiceDraw(draw.grant_id, draw.amount, invoice.pk, stored.pk) for draw in line.draws]
            if line.charge_id is not None:
                charges[line.charge_id] = stored
        discounts += [
            InvoiceDiscount(
                invoice=invoice, redemption_id=off.redemption_id, period_start=off.period_start, amount=off.amount
            )
            for off in one.discounts
        ]
    record_draws(draws, now)
    InvoiceDiscount.objects.bulk_create(discounts)
    if charges:
        _link(charges)


def _link(lines: dict[str, InvoiceLine]) -> None:
    charges = list(OneOffCharge.objects.filter(pk__in=lines))
    for charge in charges:
        charge.line = lines[charge.pk]
    OneOffCharge.objects.bulk_update(charges, ["line"])


def release_uses(*, invoices: Iterable[Invoice], now: datetime) -> None:
    """Give back all that drafts used, before they are priced anew or thrown away: charges wait again."""
    found = list(invoices)
    return_draws(invoices=found, now=now)
    InvoiceDiscount.objects.filter(invoice__in=found).delete()
    OneOffCharge.objects.filter(line__invoice__in=found).update(line=None)


def leave_balances(*, invoices: Iterable[Invoice], now: datetime) -> None:
    """What finalized invoices of less than nothing leave to their customers' credit; part of the caller's
    transaction. It pays what falls due after `now` and never expires."""
    grants, movements = [], []
    for invoice in invoices:
        if invoice.total < 0:
            grant = new_grant(
                customer=invoice.customer,
                name=f"Balance of {invoice.number}",
                amount=-invoice.total,
                currency=invoice.currency,
                source=GrantSource.BALANCE,
                now=now,
            )
            grants.append(grant)
            movements.append(granted(grant, now, invoice))
    store_grants(grants, movements)


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
    counted from when it fell due. No invoice is made of one without lines: that nothing is to be billed is recorded,
    so that it is not looked at again."""
    _record_empty([one for one in priced if not one.lines], now)
    priced = [one for one in priced if one.lines]
    if not priced:
        return []
    grace = timedelta(hours=policy_of(organization_id).grace_hours)
    invoices = [_draft(organization_id, one, run, one.bill.due_at + grace, now) for one in priced]
    _price(invoices, priced)
    Invoice.objects.bulk_create(invoices)
    _store_contents(invoices, priced, now)
    tell("invoice.created", invoices, at=now)
    return invoices


def _record_empty(priced: Sequence[PricedInvoice], now: datetime) -> None:
    rows = [
        EmptyBill(subscription=one.subscription, kind=one.bill.kind, period_start=one.period.start, created_at=now)
        for one in priced
        if one.subscription is not None
    ]
    if rows:
        EmptyBill.objects.bulk_create(rows, ignore_conflicts=True)


def replace_drafts(*, invoices: Sequence[Invoice], priced: Sequence[PricedInvoice], now: datetime) -> None:
    """Give drafts whose contents were discarded those they have when priced anew, in the transaction that read the
    usage."""
    _price(invoices, priced)
    Invoice.objects.bulk_update(invoices, [*_AMOUNTS, "log_snapshot", "tax_treatment", "tax_rounding"])
    _store_contents(invoices, priced, now)


def discard_contents(*, invoices: Sequence[Invoice], now: datetime) -> None:
    """Take drafts' lines away, and let go of what they had used up."""
    late = LateUsage.objects.filter(adjustment__invoice__in=invoices)
    late.update(resolution=LateUsageResolution.OPEN, adjustment=None, resolved_at=None)
    release_uses(invoices=invoices, now=now)
    InvoiceLine.objects.filter(invoice__in=invoices).delete()


def leave_empty(*, invoices: Sequence[Invoice]) -> None:
    """Set the amounts of drafts whose contents were discarded to zero: their period is no longer billed."""
    for invoice in invoices:
        for name in _AMOUNTS:
            setattr(invoice, name, Decimal(0))
    Invoice.objects.bulk_update(invoices, _AMOUNTS)


def finalize_drafts(*, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None:
    """Number drafts in their order, without a gap, and finalize them; one over nothing is paid at once, or skipped
    where that is the organization's policy. One that has no lines left is always skipped. The caller's transaction
    holds them."""
    policy = policy_of(organization_id)
    skips = policy.zero_amount == ZeroAmountPolicy.SKIP
    filled = set(InvoiceLine.objects.filter(invoice__in=invoices).order_by().values_list("invoice_id", flat=True))
    numbered = [
        one for one in invoices if one.pk in filled and not (skips and one.total == 0 and one.credits_applied == 0)
    ]
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
        invoice.tax_rounding = one.tax_rounding


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
