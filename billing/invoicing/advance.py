"""Charges made before a billing period was over (in advance or by threshold), by day, and what was given back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db.models import Q, Sum

from billing.catalog.models import Bill as BillTime
from billing.catalog.models import PriceKind
from billing.invoicing.bills import Bill
from billing.invoicing.models import InvoiceKind, InvoiceStatus, LineRole
from billing.invoicing.parts import Part, Settlement, parts_of_price
from billing.invoicing.priced import Billed
from billing.ledger.deferrals import service_days
from billing.models import Invoice, InvoiceLine, Price, Subscription
from billing.payments.models import CreditNoteKind
from billing.rating.pricing.exact import share
from billing.rating.pricing.values import Usage
from billing.rating.rate import rate
from billing.subscriptions.queries import with_terms
from billing.subscriptions.timeline import Regime, regimes, zone_of
from kernel.money import minor_digits, round_to_currency
from kernel.period import Period

#: A subscription's and a price's ids.
Pair = tuple[str, str]


@dataclass
class DaysCharged:
    """A price of a subscription by days of the customer's zone, in its currency, over invoices that are not void.

    `charged` is what was charged for a day, `once` the most that a single line charged for it, `used` what the day
    costs by what is known today. `given_back` is a sum, since a line gives back for days that it does not name.
    """

    subscription: Subscription
    price: Price
    charged: dict[date, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    once: dict[date, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    used: dict[date, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    given_back: Fraction = Fraction(0)
    #: Every line and every part of a period is rounded by half a minor unit at most.
    rounded: int = 0

    @property
    def unused(self) -> Fraction:
        """What was charged for days beyond what they cost."""
        return sum((max(Fraction(0), amount - self.used[day]) for day, amount in self.charged.items()), Fraction(0))

    @property
    def kept(self) -> Fraction:
        """What was charged, less what was given back and what the days cost: nothing, where all is settled."""
        return sum(self.charged.values(), Fraction(0)) - self.given_back - sum(self.used.values(), Fraction(0))

    @property
    def charged_twice(self) -> Fraction:
        """What was charged for days by more than one line."""
        return sum((amount - self.once[day] for day, amount in self.charged.items()), Fraction(0))

    @property
    def tolerance(self) -> Fraction:
        """How far rounding may make sums differ."""
        return Fraction(self.rounded, 2 * 10 ** minor_digits(self.price.plan_version.currency))


def days_charged(pairs: Iterable[Pair]) -> Iterator[DaysCharged]:
    """The days of each of `pairs`, all of prices in advance; two queries, and those that load subscriptions."""
    wanted = sorted(set(pairs))
    lines: dict[Pair, list[InvoiceLine]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(
        invoice__subscription__in={subscription for subscription, _ in wanted},
        price__in={price for _, price in wanted},
        role__in=[LineRole.CHARGE, LineRole.SETTLEMENT],
    ).exclude(invoice__status=InvoiceStatus.VOID)
    for line in rows.select_related("invoice", "price__plan_version").order_by("pk"):
        lines[line.invoice.subscription_id or "", line.price_id or ""].append(line)
    loaded = with_terms(Subscription.objects.filter(pk__in={subscription for subscription, _ in wanted}))
    subscriptions = {one.pk: one for one in loaded}
    for pair in wanted:
        if lines[pair]:
            yield _days(subscriptions[pair[0]], lines[pair])


def _days(subscription: Subscription, lines: Sequence[InvoiceLine]) -> DaysCharged:
    price = lines[0].price
    assert price is not None, "it was asked for"
    found, zone = DaysCharged(subscription, price, rounded=len(lines)), zone_of(subscription)
    for line in lines:
        if line.amount < 0:
            found.given_back -= Fraction(line.amount)
            continue
        for day, amount in _spread(line.amount, line.period_start, line.period_end, zone):
            found.charged[day] += amount
            found.once[day] = max(found.once[day], amount)
            if line.role == LineRole.SETTLEMENT:  # it charges what the first line did not
                found.once[day] = found.charged[day]
    for part in _parts(subscription, price, min(found.charged, default=None), max(found.charged, default=None)):
        found.rounded += 1
        for day, amount in _spread(_amount(part), part.period.start, part.period.end, zone):
            found.used[day] += amount
    return found


def _parts(subscription: Subscription, price: Price, first: date | None, last: date | None) -> Iterator[Part]:
    if first is None or last is None:
        return
    for regime in regimes(subscription):
        if regime.first_day <= last:
            yield from _parts_of(regime, price, max(first, regime.first_day), last)


def _parts_of(regime: Regime, price: Price, first: date, last: date) -> Iterator[Part]:
    for whole in regime.periods(first, last + timedelta(days=1)):
        yield from parts_of_price(regime, price, whole)


def _amount(part: Part) -> Decimal:
    units = Decimal(part.seats if part.price.kind == PriceKind.SEAT else 1)
    currency = part.price.plan_version.currency
    return rate(part.terms, Usage(quantity=units), currency=currency, fraction=part.fraction).amount


def _spread(amount: Decimal, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[date, Fraction]]:
    first, after = service_days(start, end, zone)
    days = (after - first).days
    for number in range(days):
        yield first + timedelta(days=number), Fraction(amount) / days


class AdvanceCharges:
    """What invoices (void ones too: what is voided is not charged again) have charged in advance, by subscription
    and price, less what the invoice that opened another interval gave back of it. Bills priced one after the other
    add theirs with `note`."""

    def __init__(self, bills: Sequence[Bill]) -> None:
        settled = [(bill.subscription.pk, bill.settles) for bill in bills if bill.settles is not None]
        self._prices: dict[str, Price] = {}
        self._charged: dict[tuple[str, str], list[tuple[Period, Billed, bool]]] = defaultdict(list)
        rows = InvoiceLine.objects.filter(
            Q(role=LineRole.CHARGE) | Q(role=LineRole.SETTLEMENT, invoice__kind=InvoiceKind.OPENING),
            invoice__subscription__in={subscription for subscription, _ in settled},
            price__bill=BillTime.IN_ADVANCE,
            period_start__gte=min((days.start for _, days in settled), default=datetime.max.replace(tzinfo=UTC)),
        ).select_related("invoice", "price__plan_version")
        corrections = Q(credited_by__credit_note__kind=CreditNoteKind.CORRECTION)
        rows = rows.annotate(
            credited=Sum("credited_by__amount"), corrected=Sum("credited_by__amount", filter=corrections)
        )
        for line in rows.order_by("invoice_id", "position"):
            taken_back = given_back(line, line.credited or Decimal(0)) if line.role == LineRole.CHARGE else Decimal(0)
            # A note on a fee lowers what is left of it; one on seats says that there were fewer.
            of_seats = line.kind == PriceKind.SEAT and line.role == LineRole.CHARGE
            is_open = of_seats and line.invoice.status != InvoiceStatus.VOID
            corrected = given_back(line, line.corrected or Decimal(0)) if is_open else Decimal(0)
            billed = Billed(line.amount, line.discount, taken_back, corrected, line.tax_rate)
            assert line.price is not None, "a line by hand has another role"
            days, is_draft = Period(line.period_start, line.period_end), line.invoice.status == InvoiceStatus.DRAFT
            self.note(line.invoice.subscription_id or "", line.price, days, billed, is_draft=is_draft)

        opening = {bill.subscription.pk for bill in bills if bill.kind == InvoiceKind.OPENING and bill.settles}
        cycles = Invoice.objects.filter(subscription__in=opening, kind=InvoiceKind.CYCLE) if opening else ()
        self._cycles = {(one.subscription_id, one.period_start) for one in cycles}

    def is_settled(self, bill: Bill) -> bool:
        """Return whether the days that an opening bill settles are those of a later invoice already: of a
        subscription that was invoiced before opening bills settled anything."""
        return bill.kind == InvoiceKind.OPENING and any(
            subscription == bill.subscription.pk and bill.settles is not None and start >= bill.settles.start
            for subscription, start in self._cycles
        )

    def note(self, subscription: str, price: Price, period: Period, billed: Billed, *, is_draft: bool = False) -> None:
        self._prices[price.pk] = price
        self._charged[subscription, price.pk].append((period, billed, is_draft))

    def others(self, bill: Bill, prices: Collection[str]) -> list[Settlement]:
        """Settle what was charged from one of the bill's days on for prices that are not among `prices` (ids): those
        that the subscription has no longer, since a change on the same day took the place of the one to them."""
        if bill.settles is None:
            return []
        found = [
            self._prices[price]
            for (subscription, price), charged in self._charged.items()
            if subscription == bill.subscription.pk and price not in prices
            if any(period.start in bill.settles for period, *_ in charged)
        ]
        return [Settlement(bill.subscription, price, bill.settles, bill.settles, ()) for price in found]

    def of(self, settlement: Settlement, bill: Bill) -> tuple[Billed, Period]:
        """What was charged, as far as the bill is to settle it, from one of the settlement's days on, and the days it
        was for (those to settle where nothing was charged)."""
        found = self._charged[settlement.subscription.pk, settlement.price.pk]
        within = [
            (period, billed)
            for period, billed, is_draft in found
            if period.start in settlement.days and (bill.counts_drafts or not is_draft)
        ]
        billed = Billed(
            sum((one.amount for _, one in within), Decimal(0)),
            sum((one.discount for _, one in within), Decimal(0)),
            sum((one.given_back for _, one in within), Decimal(0)),
            sum((one.corrected for _, one in within), Decimal(0)),
            within[-1][1].tax_rate if within else None,
        )
        start = min((period.start for period, _ in within), default=settlement.days.start)
        return billed, Period(start, max((period.end for period, _ in within), default=settlement.days.end))


def given_back(line: InvoiceLine, credited: Decimal) -> Decimal:
    """What of a line's amount was taken back: all of a void invoice's; what credit notes took, which is net of the
    discount, in proportion."""
    net = line.amount - line.discount
    if line.invoice.status == InvoiceStatus.VOID or (credited and credited >= net):
        return Decimal(line.amount)
    if not credited:
        return Decimal(0)
    return round_to_currency(share(line.amount, Fraction(credited) / Fraction(net)), line.invoice.currency)


@dataclass(frozen=True, slots=True)
class ChargedBefore:
    """What threshold invoices have charged of a price: the days it was for, and the last line that did."""

    price: Price
    period: Period
    billed: Billed
    tax_rate: Decimal
    line_id: str


class ThresholdCharges:
    """What threshold invoices that are not void have charged of open periods."""

    def __init__(self, bills: Iterable[Bill]) -> None:
        self._lines: dict[str, list[InvoiceLine]] = defaultdict(list)
        rows = InvoiceLine.objects.filter(
            invoice__subscription__in={bill.subscription.pk for bill in bills}, invoice__kind=InvoiceKind.THRESHOLD
        ).exclude(invoice__status=InvoiceStatus.VOID)
        for line in rows.select_related("invoice", "price__plan_version").order_by("invoice_id", "position"):
            self._lines[line.invoice.subscription_id or ""].append(line)

    def of(self, bill: Bill) -> list[ChargedBefore]:
        """What was charged of the usage that the bill charges as a whole, by price."""
        found: dict[str, ChargedBefore] = {}
        for line in self._lines[bill.subscription.pk]:
            if line.price is None or not bill.settles_usage_from(line.period_start):
                continue
            before = found.get(line.price.pk)
            sums = before.billed if before else Billed(Decimal(0))
            # The last one charged all of it anew, and took off what those before it had charged.
            latest = before is None or line.role == LineRole.CHARGE
            found[line.price.pk] = ChargedBefore(
                line.price,
                Period(line.period_start, line.period_end),
                Billed(sums.amount + line.amount, sums.discount + line.discount),
                line.tax_rate if before is None or latest else before.tax_rate,
                line.pk if before is None or latest else before.line_id,
            )
        return [one for one in found.values() if one.billed.amount]
