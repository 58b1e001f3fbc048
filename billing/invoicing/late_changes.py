"""What late and corrected usage changes about invoices, compared with what was billed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.catalog.models import PriceKind
from billing.credits.wallets import Wallets
from billing.invoicing.bills import bill_of
from billing.invoicing.late_records import billed_before
from billing.invoicing.models import LineRole
from billing.invoicing.priced import PricedInvoice
from billing.invoicing.pricing import price_bills
from billing.models import Invoice, InvoiceLine, Subscription
from billing.subscriptions.queries import subscriptions_of
from metering.facade import MeterVersion

ZERO = Decimal(0)

#: What usage changes: what it costs, and what is missing to a commitment.
_CHANGING = (PriceKind.USAGE, PriceKind.COMMITMENT)


@dataclass(frozen=True, slots=True)
class Change:
    """What of a line's quantity and amount is not billed yet. With a `problem`, the quantity is what the terms of the
    line do not price, and the amount is not known."""

    line: InvoiceLine
    quantity: Decimal
    amount: Decimal
    problem: str = ""


def unbilled_changes(organization_id: int, invoices: Sequence[Invoice]) -> list[Change]:
    """The usage and true-up lines of `invoices` with what they would have more, or less, if priced today, by the meter
    versions they were counted with. `lines__price` and `lines__meter_version` should be loaded."""
    subscriptions = {
        one.pk: one
        for one in subscriptions_of(organization_id).filter(pk__in={invoice.subscription_id for invoice in invoices})
    }
    bills, pinned, of_bill = [], {}, []
    for invoice in invoices:
        bill = bill_of(invoice, _subscription(subscriptions, invoice))
        if bill is not None:
            bills.append(bill)
            pinned[bill.key] = _versions(invoice)
            of_bill.append(invoice)
    before = billed_before(line.pk for invoice in invoices for line in invoice.lines.all())
    # The units that grants paid then, they pay still: no more, and no less.
    wallets = Wallets.as_used_by({invoice.pk: bill.due_at for invoice, bill in zip(of_bill, bills, strict=True)})
    found: list[Change] = []
    answers = price_bills(bills, pinned=pinned, wallets=wallets, partial=True)
    for invoice, answer in zip(of_bill, answers, strict=True):
        if isinstance(answer, PricedInvoice):
            found += _unpriced(invoice, answer)
            found += _differences(invoice, answer, before)
        else:
            usage = [line for line in invoice.lines.all() if line.kind == PriceKind.USAGE]
            found += [Change(line, ZERO, ZERO, answer.error.detail) for line in usage[:1]]
    return found


def _unpriced(invoice: Invoice, priced: PricedInvoice) -> list[Change]:
    """What of an invoice's usage has no price, each with the line it belongs to, or the first one of its price."""
    charged = [line for line in invoice.lines.all() if line.role == LineRole.CHARGE]
    found: list[Change] = []
    for one in priced.unpriced:
        of_price = [line for line in charged if line.price_id == one.price.pk] or charged
        same = [line for line in of_price if line.period_start == one.period.start] or of_price
        found += [Change(line, one.quantity, ZERO, one.error.detail) for line in same[:1]]
    return found


def _subscription(subscriptions: dict[str, Subscription], invoice: Invoice) -> Subscription:
    assert invoice.subscription_id is not None, "a period that is billed has a subscription"
    return subscriptions[invoice.subscription_id]


def _versions(invoice: Invoice) -> dict[str, MeterVersion]:
    """The meter versions the invoice was counted with, by meter."""
    return {line.meter_version.meter_id: line.meter_version for line in invoice.lines.all() if line.meter_version}


def _differences(invoice: Invoice, priced: PricedInvoice, before: dict[str, tuple[Decimal, Decimal]]) -> list[Change]:
    charged = [line for line in priced.lines if line.role is LineRole.CHARGE]
    unknown = {(one.price.pk, one.period.start) for one in priced.unpriced if one.is_whole}
    priced_lines = [(line.price, line) for line in charged if line.price is not None]
    today = {(price.pk, line.period.start): line for price, line in priced_lines if price.kind in _CHANGING}
    found: list[Change] = []
    for line in invoice.lines.all():
        if line.role != LineRole.CHARGE or line.kind not in _CHANGING:
            continue
        if (line.price_id, line.period_start) in unknown or (unknown and line.kind == PriceKind.COMMITMENT):
            continue  # what it would cost today is not known, and so neither what is missing to a commitment
        now = today.pop((line.price_id or "", line.period_start), None)
        quantity, amount = before.get(line.pk, (ZERO, ZERO))
        amount = (now.rated.amount if now else ZERO) - line.amount - amount
        quantity = (now.rated.quantity if now else ZERO) - line.quantity - quantity
        found.append(Change(line, ZERO if line.kind == PriceKind.COMMITMENT else quantity, amount))
    # A true-up that the invoice had no line for goes with the first of its usage lines.
    missing = sum(
        (line.rated.amount for line in today.values() if line.price and line.price.kind == PriceKind.COMMITMENT), ZERO
    )
    if missing and found and not unknown:
        found[0] = replace(found[0], amount=found[0].amount + missing)
    return found
