"""What pricing answers: an invoice to be, with all that it uses up. Nothing here is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from billing.invoicing.models import InvoiceKind, LineRole
from billing.models import Customer, Price, Subscription
from billing.rating.draws import Draw
from billing.rating.rate import RatedLine
from billing.rating.taxes import TaxRounding
from kernel.errors import TaximeterError
from kernel.period import Month, Period

ZERO = Decimal(0)


class Owed(Protocol):
    """What an invoice is made for: a bill of a subscription, or a charge made by hand."""

    @property
    def customer(self) -> Customer: ...
    @property
    def subscription(self) -> Subscription | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def kind(self) -> InvoiceKind: ...
    @property
    def in_force(self) -> Period: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def month(self) -> Month: ...


@dataclass(frozen=True, slots=True)
class Billed:
    """What an earlier invoice billed for what a line takes back, repeats or adjusts."""

    amount: Decimal
    discount: Decimal = ZERO
    #: How much of it a void or credit notes have given back already, before its discount.
    given_back: Decimal = ZERO
    #: How much of that credit notes have given back because what was charged was wrong.
    corrected: Decimal = ZERO
    #: At which it was taxed, where a line that takes it back is to be taxed the same.
    tax_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A price over a period, or a charge made by hand, with what it was computed from."""

    price: Price | None
    period: Period
    rated: RatedLine
    description: str
    tax_rate: Decimal
    role: LineRole = LineRole.CHARGE
    meter_version_id: int | None = None
    events: int = 0
    discount: Decimal = ZERO
    tax: Decimal = ZERO
    #: Set where the line gives back, repeats or adjusts what was billed: it is discounted as that was.
    billed: Billed | None = None
    #: What grants of units paid of it.
    draws: tuple[Draw, ...] = ()
    charge_id: str | None = None
    #: The line of an earlier invoice that this one corrects or takes off, and the late usage it is for.
    adjusts_id: str | None = None
    late_usage_id: str | None = None

    @property
    def net(self) -> Decimal:
        """After its discount, before tax."""
        return self.rated.amount - self.discount


@dataclass(frozen=True, slots=True)
class TakenOff:
    """What one coupon took off the lines of the billing period that begins at `period_start`."""

    redemption_id: str
    period_start: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class UnpricedUsageOf:
    """Usage of a price over a period that its terms do not price, and why. `is_whole`: nothing of it is priced."""

    price: Price
    period: Period
    quantity: Decimal
    error: TaximeterError
    is_whole: bool


@dataclass(frozen=True, slots=True)
class PricedInvoice:
    """What a bill comes to; amounts are rounded to the currency, per line, and tax by `tax_rounding`."""

    bill: Owed
    lines: tuple[PricedLine, ...]
    discounts: tuple[TakenOff, ...] = ()
    #: What grants of money pay of the total.
    draws: tuple[Draw, ...] = field(default=())
    #: Set where pricing was asked to go on without what has no price.
    unpriced: tuple[UnpricedUsageOf, ...] = ()
    tax_rounding: str = TaxRounding.LINE

    @property
    def customer(self) -> Customer:
        return self.bill.customer

    @property
    def subscription(self) -> Subscription | None:
        return self.bill.subscription

    @property
    def currency(self) -> str:
        return self.bill.currency

    @property
    def period(self) -> Period:
        return self.bill.in_force

    @property
    def subtotal(self) -> Decimal:
        return sum((line.rated.amount for line in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        return sum((line.discount for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.subtotal - self.discount + self.tax

    @property
    def credits_applied(self) -> Decimal:
        """What grants pay. An invoice of less than nothing leaves its total to the customer's credit instead, so this
        is then negative."""
        return min(self.total, ZERO) + sum((draw.amount for draw in self.draws), ZERO)

    @property
    def amount_due(self) -> Decimal:
        """Never less than nothing."""
        return self.total - self.credits_applied


@dataclass(frozen=True, slots=True)
class Unpriceable:
    """A subscription whose month cannot be priced, and why. It stops nobody else's invoice."""

    subscription: Subscription
    error: TaximeterError
