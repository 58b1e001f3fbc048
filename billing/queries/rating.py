"""What bills come to: read from the meters, priced by the domain, stored nowhere.

The preview of an open month and the issued invoice are this same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection

from billing.domain.pricing import BreakdownRow, GroupUsage, Usage, group_of
from billing.domain.pricing.exact import bounded
from billing.domain.rating import RatedLine, rate
from billing.models import Customer, LateUsage, Price, Subscription
from billing.models.catalogue import Bill as BillTime
from billing.models.catalogue import PriceKind
from billing.models.customers import TaxTreatment
from billing.models.invoices import LineRole
from billing.queries.advance import AdvanceCharges, ChargedBefore, ThresholdCharges, given_back
from billing.queries.bills import Bill, BillKey, bills_in_month, without_invoice
from billing.queries.late_usage import OpenLateUsage
from billing.queries.parts import Part, Settlement, fees_in_advance, parts_of
from billing.queries.priced import Billed, PricedInvoice, PricedLine, Unpriceable
from billing.queries.reductions import Reductions, rate_prepaid, total_up
from billing.queries.usage import UsageRead, foreseen, read_usage
from billing.queries.wallets import Wallets
from kernel.errors import TaximeterError
from kernel.period import Month, Period
from metering.facade import MeterVersion, current_versions

ZERO = Decimal(0)


def price_month(subscriptions: Sequence[Subscription], month: Month) -> list[PricedInvoice | Unpriceable]:
    """The bills of `month` that have no invoice yet, priced, in the order of the subscriptions and of time."""
    bills = [bill for subscription in subscriptions for bill in bills_in_month(subscription, month)]
    return price_bills(without_invoice(bills))


def price_bills(
    bills: Sequence[Bill],
    *,
    pinned: Mapping[BillKey, Mapping[str, MeterVersion]] | None = None,
    wallets: Wallets | None = None,
    foreseen_at: datetime | None = None,
) -> list[PricedInvoice | Unpriceable]:
    """Each bill priced, in their order, which is that of time for each subscription. All are of one organization.

    Usage is read with one statement per meter, period and filter, however many customers share it; by the present
    version of each meter, or the one `pinned` for a bill (by meter id). What customers have in advance is what their
    grants hold, unless `wallets` are given. With `foreseen_at`, usage is what it will be if it goes on as up to then.
    For figures that belong together, call this in a transaction of isolation REPEATABLE READ.
    """
    if not bills:
        return []
    pinned = pinned or {}
    organization_id = bills[0].subscription.organization_id
    current = {v.meter_id: v for v in current_versions().filter(meter__organization_id=organization_id)}
    books = _Books(
        AdvanceCharges(bills), ThresholdCharges(bills), OpenLateUsage(bills), Reductions.load(bills, wallets)
    )
    parts: list[list[Part | Settlement] | TaximeterError] = []
    for bill in bills:
        try:
            parts.append(parts_of(bill, {**current, **pinned.get(bill.key, {})}))
        except TaximeterError as error:
            parts.append(error)
    asking = [part for of_one in parts if isinstance(of_one, list) for part in of_one if isinstance(part, Part)]
    by_id = {v.pk: v for some in (current, *pinned.values()) for v in some.values()}
    usage = read_usage(asking, by_id)
    if foreseen_at is not None:
        usage = foreseen(usage, by_id, foreseen_at)
    found: dict[int, PricedInvoice | Unpriceable] = {}
    # What falls due first draws first on what a customer has in advance.
    for index in sorted(range(len(bills)), key=lambda index: bills[index].due_at):
        bill, of_one = bills[index], parts[index]
        if isinstance(of_one, list):
            found[index] = _price(bill, of_one, usage, books)
        else:
            found[index] = Unpriceable(bill.subscription, of_one)
    return [found[index] for index in range(len(bills))]


@dataclass(frozen=True, slots=True)
class _Books:
    """What earlier invoices say that later ones have to know, and what these may use up."""

    advance: AdvanceCharges
    thresholds: ThresholdCharges
    late: OpenLateUsage
    reductions: Reductions


def current_snapshot() -> str:
    """Which transactions the present one can see, as PostgreSQL writes it (`pg_snapshot`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def _price(
    bill: Bill, parts: Sequence[Part | Settlement], usage: UsageRead, books: _Books
) -> PricedInvoice | Unpriceable:
    lines: list[PricedLine] = []
    try:
        for part in parts:
            if isinstance(part, Settlement):
                lines += _settle(part, books.advance.of(part))
            elif part.price.kind != PriceKind.COMMITMENT:
                lines.append(_price_line(part, usage, bill, books.reductions))
        for part in parts:
            if isinstance(part, Part) and part.price.kind == PriceKind.COMMITMENT:
                lines += _true_up(part, lines, bill)
        for line in lines:
            bounded(line.rated.amount)
    except TaximeterError as error:
        books.reductions.wallets.give_back(draw for line in lines for draw in line.draws)
        return Unpriceable(bill.subscription, error)
    lines += [_charged_before(one) for one in books.thresholds.of(bill)]
    lines += [adjustment_line(one) for one in books.late.take(bill)]
    priced = total_up(bill, lines, books.reductions)
    for line in priced.lines:
        if line.price and line.price.bill == BillTime.IN_ADVANCE and line.role is LineRole.CHARGE:
            billed = Billed(line.rated.amount, line.discount, tax_rate=line.tax_rate)
            books.advance.note(bill.subscription.pk, line.price.pk, line.period, billed)
    return priced


def _charged_before(charged: ChargedBefore) -> PricedLine:
    """What threshold invoices have charged of a price, taken off again."""
    price, billed = charged.price, charged.billed
    line = _correction(price, charged.period, ZERO, -billed.amount, charged.tax_rate, LineRole.BILLED_BEFORE)
    return replace(line, description=f"{price.name}: invoiced before", adjusts_id=charged.line_id, billed=billed)


def adjustment_line(late: LateUsage) -> PricedLine:
    """What late usage changes about a line of an earlier invoice, discounted and taxed as that line was. What credit
    notes gave back of it is not given back again."""
    line = late.line
    assert line.price is not None, "only prices have usage"
    period = Period(line.period_start, line.period_end)
    credited: Decimal = getattr(late, "credited", None) or ZERO
    amount = max(late.amount, given_back(line, credited) - line.amount) if late.amount < 0 and credited else late.amount
    made = _correction(line.price, period, late.quantity, amount, line.tax_rate, LineRole.ADJUSTMENT)
    return replace(
        made,
        description=f"{line.description}: late usage, {line.invoice}",
        adjusts_id=line.pk,
        late_usage_id=late.pk,
        billed=Billed(line.amount, line.discount),
    )


def _correction(
    price: Price, period: Period, quantity: Decimal, amount: Decimal, tax_rate: Decimal, role: LineRole
) -> PricedLine:
    """A line whose amount follows from other lines."""
    row = BreakdownRow(ZERO, quantity, quantity, None, amount, amount)
    return PricedLine(price, period, RatedLine(quantity, amount, amount, None, (row,), ()), price.name, tax_rate, role)


def _price_line(part: Part, usage: UsageRead, bill: Bill, reductions: Reductions) -> PricedLine:
    if part.usage is None:
        used, events = Usage(quantity=_units(part)), 0
    else:
        found = usage.of(part)
        groups = tuple(GroupUsage(group_of(row.group), row.quantity) for row in found) if part.usage.group_by else ()
        events = sum(row.events for row in found)
        used = Usage(quantity=sum((row.quantity for row in found), ZERO), events=events, groups=groups)
    rated, draws = rate_prepaid(part, used, bill, reductions)
    meter_version_id = part.usage.meter_version_id if part.usage else None
    return replace(_line(part, rated), meter_version_id=meter_version_id, events=events, draws=draws)


def _fee(part: Part) -> RatedLine:
    """A fixed or seat price."""
    usage = Usage(quantity=_units(part))
    return rate(part.terms, usage, currency=_currency(part), fraction=part.fraction)


def _units(part: Part) -> Decimal:
    return Decimal(part.seats if part.price.kind == PriceKind.SEAT else 1)


def _settle(settlement: Settlement, billed: Billed) -> list[PricedLine]:
    """The difference between what a period paid for in advance came to and what was charged for it, if any. What a
    void or a credit note gave back already is not given back again."""
    parts, whole, charged = settlement.parts, settlement.whole, billed.amount
    rated = [_fee(part) for part in parts]
    difference = max(sum((one.amount for one in rated), ZERO) - charged, billed.given_back - charged)
    if not difference:
        return []
    before = _units(parts[0]) if parts else Decimal(1)
    after = _units(parts[-1]) if parts and parts[-1].period.end == whole.end else ZERO
    starts = [part.period.start for part in parts[1:]] + [part.period.end for part in parts] + [whole.start]
    if not charged and parts:
        before, starts = ZERO, [parts[0].period.start]
    rows = [BreakdownRow(ZERO, one.quantity, one.quantity, None, one.amount, one.amount) for one in rated]
    kept = difference - sum((row.amount for row in rows), ZERO)
    rows.append(BreakdownRow(ZERO, ZERO, ZERO, None, kept, kept, reason="charged_in_advance"))
    steps = rated[-1].steps[-1:] if rated else ()
    total = RatedLine(after - before, difference, difference, None, tuple(rows), steps)
    since = starts[0] if starts[0] < whole.end else whole.start
    description = f"{settlement.price.name}: changes in the period"
    return [
        _new_line(
            settlement.subscription,
            settlement.price,
            Period(since, whole.end),
            total,
            role=LineRole.SETTLEMENT,
            description=description,
            billed=billed if difference < 0 else None,
            tax_rate=billed.tax_rate if difference < 0 else None,
        )
    ]


def _line(part: Part, rated: RatedLine) -> PricedLine:
    return _new_line(part.subscription, part.price, part.period, rated)


def _new_line(
    subscription: Subscription,
    price: Price,
    period: Period,
    rated: RatedLine,
    *,
    role: LineRole = LineRole.CHARGE,
    description: str = "",
    billed: Billed | None = None,
    tax_rate: Decimal | None = None,
) -> PricedLine:
    if tax_rate is None:
        tax_rate = tax_rate_of(subscription.customer, price)
    return PricedLine(price, period, rated, description or price.name, tax_rate, role, billed=billed)


def tax_rate_of(customer: Customer, price: Price | None) -> Decimal:
    """The price's own rate, else the customer's; 0 where the customer is exempt or owes the tax itself."""
    if customer.tax_treatment != TaxTreatment.STANDARD:
        return ZERO
    return customer.tax_rate if price is None or price.tax_rate is None else price.tax_rate


def _currency(part: Part) -> str:
    return part.price.plan_version.currency


def _true_up(part: Part, lines: Sequence[PricedLine], bill: Bill) -> list[PricedLine]:
    """What is missing to the commitment of a period, if anything: its fees count, also those paid in advance."""
    assert bill.arrears is not None, "a commitment is charged in arrears"
    committed = rate(part.terms, Usage(quantity=Decimal(1)), currency=_currency(part), fraction=part.fraction)
    charged = sum((_fee(fee).amount for fee in fees_in_advance(part, bill.regime, bill.arrears)), ZERO)
    for line in lines:
        assert line.price is not None, "charges made by hand are added later"
        in_arrears = line.price.bill == BillTime.IN_ARREARS and line.price.plan_version_id == part.price.plan_version_id
        if in_arrears and part.period.start <= line.period.start and line.period.end <= part.period.end:
            charged += line.rated.amount
    missing = committed.amount - charged
    if missing <= 0:
        return []
    row = BreakdownRow(ZERO, Decimal(1), Decimal(1), None, missing, missing)
    return [_line(part, RatedLine(Decimal(1), missing, missing, None, (row,), committed.steps))]
