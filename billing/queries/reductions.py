"""From what prices come to, to what is due: units that grants pay, charges made by hand, coupons, tax, credit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.domain.draws import Draw
from billing.domain.pricing import Usage
from billing.domain.rating import RatedLine, billable_usage, rate
from billing.models.catalogue import Bill as BillTime
from billing.models.invoices import LineRole
from billing.queries.bills import Bill
from billing.queries.charges import WaitingCharges
from billing.queries.coupons import Coupons, Discountable
from billing.queries.parts import Part
from billing.queries.priced import Owed, PricedInvoice, PricedLine, TakenOff
from billing.queries.wallets import Wallets
from kernel.money import EXACT, round_to_currency

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reductions:
    """What the bills of a batch may use up. What one has used is gone for the next; nothing is written."""

    wallets: Wallets
    coupons: Coupons
    charges: WaitingCharges

    @classmethod
    def load(cls, bills: Sequence[Bill]) -> Reductions:
        """For `bills`, of which there are some; three queries, and one more where there are coupons."""
        customers = {bill.customer.pk for bill in bills}
        until = max(bill.due_at for bill in bills)
        return cls(
            Wallets.load(customers=customers, at=until),
            Coupons.load(subscriptions={bill.subscription.pk for bill in bills}),
            WaitingCharges.load(customers=customers, at=until),
        )


def rate_prepaid(part: Part, usage: Usage, bill: Bill, wallets: Wallets) -> tuple[RatedLine, tuple[Draw, ...]]:
    """A price over a part of a period, less what the customer's grants of units pay of it, and these draws.

    Fees in advance are settled in money when their period is over, so units do not pay them.
    """
    currency, price = part.price.plan_version.currency, part.price
    rated = rate(part.terms, usage, currency=currency, fraction=part.fraction)
    if price.bill == BillTime.IN_ADVANCE or (price.meter_id is None and price.unit_rate is None):
        return rated, ()
    draws: tuple[Draw, ...] = ()
    prepaid = credits = ZERO
    if price.meter_id is not None:
        billable = billable_usage(part.terms, usage, fraction=part.fraction).quantity
        draws = wallets.draw(customer_id=bill.customer.pk, of=price.meter_id, amount=billable, at=bill.due_at)
        prepaid = _sum(draws)
        if draws:
            rated = rate(part.terms, usage, currency=currency, fraction=part.fraction, prepaid=prepaid)
    if price.pricing_unit_id is not None and rated.units:
        paid = wallets.draw(customer_id=bill.customer.pk, of=price.pricing_unit_id, amount=rated.units, at=bill.due_at)
        draws, credits = draws + paid, _sum(paid)
        if paid:
            rated = rate(part.terms, usage, currency=currency, fraction=part.fraction, prepaid=prepaid, credits=credits)
    return rated, draws


def total_up(bill: Bill, lines: Sequence[PricedLine], reductions: Reductions) -> PricedInvoice:
    """The invoice of `lines`: with the customer's waiting charges, less coupons, plus tax, less credit."""
    charges = reductions.charges.take(customer_id=bill.customer.pk, currency=bill.currency, at=bill.due_at)
    discounted, taken = _discounted(bill, lines, reductions.coupons)
    return with_tax_and_credit(bill, [*discounted, *charges], taken, reductions.wallets)


def with_tax_and_credit(
    owed: Owed, lines: Sequence[PricedLine], taken: tuple[TakenOff, ...], wallets: Wallets
) -> PricedInvoice:
    """Each line taxed on what its discount leaves of it; what that comes to is paid by grants of money first."""
    taxed = tuple(
        replace(line, tax=round_to_currency(EXACT.multiply(line.net, line.tax_rate), owed.currency)) for line in lines
    )
    invoice = PricedInvoice(owed, taxed, taken)
    draws = wallets.draw(customer_id=owed.customer.pk, of=owed.currency, amount=invoice.total, at=owed.due_at)
    return replace(invoice, draws=draws)


def _discounted(
    bill: Bill, lines: Sequence[PricedLine], coupons: Coupons
) -> tuple[list[PricedLine], tuple[TakenOff, ...]]:
    found = [
        Discountable(
            amount=line.rated.amount if line.billed or line.role in _CHARGES else ZERO,
            period_start=_billing_period(bill, line),
            billed=line.billed,
        )
        for line in lines
    ]
    discounts, taken = coupons.discount(bill.subscription.pk, found, bill.currency)
    return [replace(line, discount=off) for line, off in zip(lines, discounts, strict=True)], taken


_CHARGES = (LineRole.CHARGE, LineRole.SETTLEMENT)


def _billing_period(bill: Bill, line: PricedLine) -> datetime:
    """The start of the billing period that a line is for; of an earlier one than the bill's, that of the line."""
    for whole in (bill.arrears, bill.advance):
        if whole is not None and line.period.start in whole:
            return whole.start
    return line.period.start


def _sum(draws: Sequence[Draw]) -> Decimal:
    return sum((draw.amount for draw in draws), ZERO)
