"""From what prices come to, to what is due: units that grants pay, charges made by hand, coupons, tax, credit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.catalog.models import Bill as BillTime
from billing.credits.coupons import Coupons, Discountable
from billing.credits.queries import WaitingCharges
from billing.credits.wallets import UnitsUsedBefore, Wallets
from billing.customers.queries import policy_of
from billing.invoicing.bills import Bill
from billing.invoicing.models import InvoiceKind
from billing.invoicing.parts import Part
from billing.invoicing.priced import Owed, PricedInvoice, PricedLine, TakenOff
from billing.rating.draws import Draw
from billing.rating.pricing.values import Usage
from billing.rating.rate import RatedLine, billable_usage, rate
from billing.rating.taxes import taxes_of

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reductions:
    """What the bills of a batch may use up. What one has used is gone for the next; nothing is written."""

    wallets: Wallets
    coupons: Coupons
    charges: WaitingCharges
    used_before: UnitsUsedBefore
    tax_rounding: str

    @classmethod
    def load(cls, bills: Sequence[Bill], wallets: Wallets | None = None) -> Reductions:
        """For `bills`, at least one and all of one organization; five queries, and one more where there are coupons."""
        customers = {bill.customer.pk for bill in bills}
        subscriptions = {bill.subscription.pk for bill in bills}
        until = max(bill.due_at for bill in bills)
        return cls(
            wallets or Wallets.load(customers=customers, at=until),
            Coupons.load(subscriptions=subscriptions),
            WaitingCharges.load(customers=customers, at=until),
            UnitsUsedBefore(subscriptions),
            policy_of(bills[0].customer.organization_id).tax_rounding,
        )


def rate_prepaid(part: Part, usage: Usage, bill: Bill, reductions: Reductions) -> tuple[RatedLine, tuple[Draw, ...]]:
    """A price over a part of a period, less what the customer's grants of units pay of it, and these draws.

    What threshold invoices drew for it before still pays it. Fees in advance are settled in money when their period
    is over, so units do not pay them.
    """
    currency, price = part.price.plan_version.currency, part.price
    rated = rate(part.terms, usage, currency=currency, fraction=part.fraction)
    if price.bill == BillTime.IN_ADVANCE or (price.meter_id is None and price.unit_rate is None):
        return rated, ()
    draws: tuple[Draw, ...] = ()
    prepaid = credits = ZERO
    if price.meter_id is not None:
        billable = billable_usage(part.terms, usage, fraction=part.fraction).quantity
        prepaid, draws = _units_for(part, price.meter_id, billable, bill, reductions)
        if prepaid:
            rated = rate(part.terms, usage, currency=currency, fraction=part.fraction, prepaid=prepaid)
    if price.pricing_unit_id is not None and rated.units is not None:
        credits, more = _units_for(part, price.pricing_unit_id, rated.units, bill, reductions)
        draws += more
        if credits:
            rated = rate(part.terms, usage, currency=currency, fraction=part.fraction, prepaid=prepaid, credits=credits)
    return rated, draws


def _units_for(
    part: Part, of: str, amount: Decimal, bill: Bill, reductions: Reductions
) -> tuple[Decimal, tuple[Draw, ...]]:
    """How many units pay `amount` of a price: those that were drawn for it before, and new draws for the rest."""
    subscription = bill.subscription.pk
    before = reductions.used_before.of(subscription=subscription, price=part.price.pk, start=part.period.start, of=of)
    draws = reductions.wallets.draw(
        customer_id=bill.customer.pk, subscription_id=subscription, of=of, amount=amount - before, at=bill.due_at
    )
    return before + _sum(draws), draws


def total_up(bill: Bill, lines: Sequence[PricedLine], reductions: Reductions) -> PricedInvoice:
    """The invoice of `lines`: with the customer's waiting charges, less coupons, plus tax, less credit."""
    discounted, taken = _discounted(bill, lines, reductions.coupons)
    if bill.kind != InvoiceKind.THRESHOLD and not bill.only_settles:  # which are over usage, and over fees, alone
        discounted += reductions.charges.take(customer_id=bill.customer.pk, currency=bill.currency, at=bill.due_at)
    return with_tax_and_credit(bill, discounted, taken, reductions.wallets, reductions.tax_rounding)


def with_tax_and_credit(
    owed: Owed, lines: Sequence[PricedLine], taken: tuple[TakenOff, ...], wallets: Wallets, tax_rounding: str
) -> PricedInvoice:
    """Tax each line on what its discount leaves of it, and pay the total with grants of money first."""
    taxes = taxes_of([(one.net, one.tax_rate) for one in lines], rounding=tax_rounding, currency=owed.currency)
    taxed = tuple(replace(line, tax=tax) for line, tax in zip(lines, taxes, strict=True))
    invoice = PricedInvoice(owed, taxed, taken, tax_rounding=tax_rounding)
    draws = wallets.draw(customer_id=owed.customer.pk, of=owed.currency, amount=invoice.total, at=owed.due_at)
    return replace(invoice, draws=draws)


def _discounted(
    bill: Bill, lines: Sequence[PricedLine], coupons: Coupons
) -> tuple[list[PricedLine], tuple[TakenOff, ...]]:
    found = [
        # What was billed at nothing says nothing about discounts: what is charged for it later is discounted by date.
        Discountable(line.rated.amount, _billing_period(bill, line), line.billed if _was_billed(line) else None)
        for line in lines
    ]
    discounts, taken = coupons.discount(bill.subscription.pk, found, bill.currency)
    return [replace(line, discount=off) for line, off in zip(lines, discounts, strict=True)], taken


def _was_billed(line: PricedLine) -> bool:
    return line.billed is not None and line.billed.amount != 0


def _billing_period(bill: Bill, line: PricedLine) -> datetime:
    """The start of the billing period that a line is for; of an earlier one than the bill's, that of the line."""
    for whole in (bill.arrears, bill.advance):
        if whole is not None and line.period.start in whole:
            return bill.regime.opening_of(whole)
    return line.period.start


def _sum(draws: Sequence[Draw]) -> Decimal:
    return sum((draw.amount for draw in draws), ZERO)
