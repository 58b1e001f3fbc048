"""What invoices use up, written down: credit, coupons, charges that were waiting. And given back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from billing.models import Invoice, InvoiceDiscount, InvoiceLine, OneOffCharge
from billing.models.credits import GrantSource
from billing.queries.priced import PricedInvoice
from billing.services.credits import InvoiceDraw, granted, new_grant, record_draws, return_draws, store_grants


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
