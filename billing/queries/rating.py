"""What bills come to: read from the meters, priced by the domain, stored nowhere.

The preview of an open month and the issued invoice are this same function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from billing.domain.pricing import BreakdownRow, GroupUsage, Usage, group_of
from billing.domain.rating import RatedLine, rate
from billing.models import Price, Subscription
from billing.models.catalogue import Bill as BillTime
from billing.models.catalogue import PriceKind
from billing.queries.bills import Bill, bills_in_month, without_invoice
from billing.queries.parts import Part, UsageKey, parts_of, terms_of
from billing.queries.seats import seats_at
from kernel.errors import TaximeterError
from kernel.money import EXACT, round_to_currency
from kernel.period import Month, Period
from metering.facade import MeterVersion, UsageQuestion, UsageRow, current_versions, usage_of_version

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A price over a period, with what it was computed from."""

    price: Price
    period: Period
    rated: RatedLine
    tax: Decimal
    meter_version_id: int | None = None
    events: int = 0


@dataclass(frozen=True, slots=True)
class PricedInvoice:
    """What a bill comes to; amounts are rounded to the currency, per line."""

    bill: Bill
    lines: tuple[PricedLine, ...]

    @property
    def subscription(self) -> Subscription:
        return self.bill.subscription

    @property
    def currency(self) -> str:
        return self.bill.subscription.plan_version.currency

    @property
    def period(self) -> Period:
        return self.bill.in_force

    @property
    def subtotal(self) -> Decimal:
        return sum((line.rated.amount for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.tax


@dataclass(frozen=True, slots=True)
class Unpriceable:
    """A subscription whose month cannot be priced, and why. It stops nobody else's invoice."""

    subscription: Subscription
    error: TaximeterError


def price_month(subscriptions: Sequence[Subscription], month: Month) -> list[PricedInvoice | Unpriceable]:
    """The bills of `month` that have no invoice yet, priced, in the order of the subscriptions and of time."""
    bills = [bill for subscription in subscriptions for bill in bills_in_month(subscription, month)]
    return price_bills(without_invoice(bills))


def price_bills(bills: Sequence[Bill]) -> list[PricedInvoice | Unpriceable]:
    """Each bill priced, in their order. All are of one organization.

    Usage is read with one statement per meter, period and filter, however many customers share it.
    For figures that belong together, call this in a transaction of isolation REPEATABLE READ.
    """
    if not bills:
        return []
    organization_id = bills[0].subscription.organization_id
    versions = {v.meter_id: v for v in current_versions().filter(meter__organization_id=organization_id)}
    parts: list[list[Part] | TaximeterError] = []
    for bill in bills:
        try:
            parts.append(parts_of(bill, versions))
        except TaximeterError as error:
            parts.append(error)
    usage = _read_usage([part for of_one in parts if isinstance(of_one, list) for part in of_one], versions)
    return [
        _price(bill, of_one, usage) if isinstance(of_one, list) else Unpriceable(bill.subscription, of_one)
        for bill, of_one in zip(bills, parts, strict=True)
    ]


def current_snapshot() -> str:
    """Which transactions the present one can see, as PostgreSQL writes it (`pg_snapshot`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class _UsageRead:
    """What was read for all: rows by question and customer, and the questions that have no answer."""

    rows: Mapping[tuple[UsageKey, str], list[UsageRow]]
    failures: Mapping[UsageKey, TaximeterError]

    def of(self, part: Part) -> list[UsageRow]:
        """The rows of a part; raises what kept its question from being answered."""
        assert part.usage is not None
        if part.usage in self.failures:
            raise self.failures[part.usage]
        return self.rows.get((part.usage, part.subscription.customer.key), [])


def _read_usage(parts: Sequence[Part], versions: Mapping[str, MeterVersion]) -> _UsageRead:
    customers: dict[UsageKey, set[str]] = defaultdict(set)
    for part in parts:
        if part.usage is not None:
            customers[part.usage].add(part.subscription.customer.key)
    by_id = {version.pk: version for version in versions.values()}
    rows: dict[tuple[UsageKey, str], list[UsageRow]] = defaultdict(list)
    failures: dict[UsageKey, TaximeterError] = {}
    for key, names in customers.items():
        version = by_id[key.meter_version_id]
        question = UsageQuestion(
            organization_id=version.meter.organization_id,
            meter=version.meter.key,
            period=key.period,
            customers=tuple(sorted(names)),
            by_customer=True,
            group_by=key.group_by,
            where=dict(key.where),
        )
        try:
            found = usage_of_version(version, question)
        except TaximeterError as error:
            failures[key] = error
            continue
        for row in found:
            assert row.customer is not None
            rows[key, row.customer].append(row)
    return _UsageRead(rows, failures)


def _price(bill: Bill, parts: Sequence[Part], usage: _UsageRead) -> PricedInvoice | Unpriceable:
    currency = bill.subscription.plan_version.currency
    try:
        lines = [_price_line(part, usage, currency) for part in parts if part.price.kind != PriceKind.COMMITMENT]
        for part in parts:
            if part.price.kind == PriceKind.COMMITMENT:
                lines += _true_up(part, lines, currency)
    except TaximeterError as error:
        return Unpriceable(bill.subscription, error)
    return PricedInvoice(bill, tuple(lines))


def _price_line(part: Part, usage: _UsageRead, currency: str) -> PricedLine:
    if part.usage is None:
        return _line(part, _fee(part, currency), currency)
    found = usage.of(part)
    groups = tuple(GroupUsage(group_of(row.group), row.quantity) for row in found) if part.usage.group_by else ()
    events = sum(row.events for row in found)
    used = Usage(quantity=sum((row.quantity for row in found), ZERO), events=events, groups=groups)
    rated = rate(part.terms, used, currency=currency, fraction=part.fraction)
    return _line(part, rated, currency, meter_version_id=part.usage.meter_version_id, events=events)


def _fee(part: Part, currency: str) -> RatedLine:
    """A fixed or seat price; of added seats, what they make it dearer."""
    units = Decimal(part.seats if part.price.kind == PriceKind.SEAT else 1)
    rated = rate(part.terms, Usage(quantity=units), currency=currency, fraction=part.fraction)
    if part.seats_before is None:
        return rated
    before = rate(part.terms, Usage(quantity=Decimal(part.seats_before)), currency=currency, fraction=part.fraction)
    added, more = units - part.seats_before, rated.amount - before.amount
    row = BreakdownRow(Decimal(part.seats_before), units, added, None, more, more)
    return RatedLine(added, more, more, None, (row,), rated.steps)


def _line(part: Part, rated: RatedLine, currency: str, **counted: int) -> PricedLine:
    tax = round_to_currency(EXACT.multiply(rated.amount, part.subscription.customer.tax_rate), currency)
    return PricedLine(part.price, part.period, rated, tax, **counted)


def _true_up(part: Part, lines: Sequence[PricedLine], currency: str) -> list[PricedLine]:
    """What is missing to the commitment of a period, if anything: its fees count, also those paid in advance."""
    committed = rate(part.terms, Usage(quantity=Decimal(1)), currency=currency, fraction=part.fraction)
    charged = sum((line.rated.amount for line in lines if line.period.end <= part.period.end), ZERO)
    for price in part.subscription.plan_version.prices.all():
        if price.bill == BillTime.IN_ADVANCE:
            seats = seats_at(part.subscription, part.period.start)
            paid = Part(part.subscription, price, terms_of(price), part.period, part.fraction, seats=seats)
            charged += _fee(paid, currency).amount
    missing = committed.amount - charged
    if missing <= 0:
        return []
    row = BreakdownRow(ZERO, Decimal(1), Decimal(1), None, missing, missing)
    rated = RatedLine(Decimal(1), missing, missing, None, (row,), committed.steps)
    return [_line(part, rated, currency)]
