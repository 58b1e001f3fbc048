"""Pricing bills: usage read from meters, rated by `billing.rating`, stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection

from billing.catalog.models import Bill as BillTime
from billing.catalog.models import PriceKind
from billing.credits.wallets import Wallets
from billing.customers.models import TaxTreatment
from billing.invoicing.advance import AdvanceCharges, ChargedBefore, ThresholdCharges, given_back
from billing.invoicing.bills import Bill, BillKey, bills_in_month, without_invoice
from billing.invoicing.late_records import OpenLateUsage
from billing.invoicing.models import InvoiceKind, LineRole
from billing.invoicing.parts import Part, Settlement, fees_in_advance, parts_of
from billing.invoicing.priced import Billed, PricedInvoice, PricedLine, Unpriceable, UnpricedUsageOf
from billing.invoicing.reductions import Reductions, rate_prepaid, total_up
from billing.invoicing.usage import UsageRead, foreseen, read_usage
from billing.models import Customer, LateUsage, Price, Subscription
from billing.rating.pricing.exact import bounded
from billing.rating.pricing.matrix import Matrix
from billing.rating.pricing.values import BreakdownRow, GroupUsage, Usage, group_of
from billing.rating.rate import RatedLine, rate
from billing.subscriptions.timeline import charged_prices
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
    partial: bool = False,
) -> list[PricedInvoice | Unpriceable]:
    """Each bill priced, in their order, which is that of time for each subscription. All are of one organization.

    Usage is read with one statement per meter, period and filter, however many customers share it; by the present
    version of each meter, or the one `pinned` for a bill (by meter id). What customers have in advance is what their
    grants hold, unless `wallets` are given. With `foreseen_at`, usage is what it will be if it goes on as up to then.
    With `partial`, usage that has no price is named in `unpriced`, and all else is priced; otherwise it keeps its whole
    invoice from being priced. For figures that belong together, call this in one transaction of REPEATABLE READ.
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
            found[index] = _price(bill, of_one, usage, books, partial)
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
    bill: Bill, parts: Sequence[Part | Settlement], usage: UsageRead, books: _Books, partial: bool
) -> PricedInvoice | Unpriceable:
    lines: list[PricedLine] = []
    unpriced: list[UnpricedUsageOf] = []
    try:
        for part in [*parts, *books.advance.others(bill, {price.pk for price in charged_prices(bill.subscription)})]:
            if isinstance(part, Settlement):
                if books.advance.is_settled(bill):
                    continue
                lines += _settle(part, *books.advance.of(part, bill))
            elif part.price.kind != PriceKind.COMMITMENT:
                priced_part = _price_part(part, usage, bill, books.reductions, unpriced if partial else None)
                lines += [priced_part] if priced_part else []
        commitments = [part for part in parts if isinstance(part, Part) and part.price.kind == PriceKind.COMMITMENT]
        reached = [(_commitment_of(line, commitments), line.rated.amount) for line in lines]
        for part in commitments:
            lines += _true_up(part, sum((amount for of, amount in reached if of is part), ZERO), bill)
        for line in lines:
            bounded(line.rated.amount)
    except TaximeterError as error:
        books.reductions.wallets.give_back(draw for line in lines for draw in line.draws)
        return Unpriceable(bill.subscription, error)
    lines += [_charged_before(one) for one in books.thresholds.of(bill)]
    lines += [adjustment_line(one) for one in books.late.take(bill)]
    priced = replace(total_up(bill, lines, books.reductions), unpriced=tuple(unpriced))
    for line in priced.lines:
        counts = line.role is LineRole.CHARGE or (line.role is LineRole.SETTLEMENT and bill.kind == InvoiceKind.OPENING)
        if line.price and line.price.bill == BillTime.IN_ADVANCE and counts:
            billed = Billed(line.rated.amount, line.discount, tax_rate=line.tax_rate)
            books.advance.note(bill.subscription.pk, line.price, line.period, billed)
    return priced


def _charged_before(charged: ChargedBefore) -> PricedLine:
    """What threshold invoices have charged of a price, taken off again."""
    price, billed = charged.price, charged.billed
    line = _correction(price, charged.period, ZERO, -billed.amount, charged.tax_rate, LineRole.BILLED_BEFORE)
    return replace(line, description=f"{price.name}: invoiced before", adjusts_id=charged.line_id, billed=billed)


def adjustment_line(late: LateUsage) -> PricedLine:
    """What late usage changes about a line of an earlier invoice, discounted and taxed as that line was. What credit
    notes gave back to correct it is counted once, and no more is given back than the line and its notes leave."""
    line = late.line
    assert line.price is not None, "only prices have usage"
    period = Period(line.period_start, line.period_end)
    credited: Decimal = getattr(late, "credited", None) or ZERO
    amount = late.amount
    if amount < 0 and credited:
        corrected = given_back(line, getattr(late, "corrected", None) or ZERO) - (
            getattr(late, "counted", None) or ZERO
        )
        amount = max(min(amount + max(corrected, ZERO), ZERO), given_back(line, credited) - line.amount)
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


def _price_part(
    part: Part, usage: UsageRead, bill: Bill, reductions: Reductions, unpriced: list[UnpricedUsageOf] | None
) -> PricedLine | None:
    """The line of a part. With `unpriced`, what its terms do not price is added to that and left out of the line; no
    line is left where nothing can be priced."""
    if unpriced is None or part.usage is None:
        return _price_line(part, usage, bill, reductions)
    used = Usage(quantity=ZERO)
    try:
        used = _used(part, usage)
        return _line_of(part, used, bill, reductions)
    except TaximeterError as error:
        model = part.terms.model
        kept, left_out = model.split(used) if isinstance(model, Matrix) else (used, ())
        if not left_out:
            unpriced.append(UnpricedUsageOf(part.price, part.period, used.quantity, error, is_whole=True))
            return None
        quantity = sum((group.quantity for group in left_out), ZERO)
        unpriced.append(UnpricedUsageOf(part.price, part.period, quantity, error, is_whole=False))
        return _line_of(part, kept, bill, reductions)


def _price_line(part: Part, usage: UsageRead, bill: Bill, reductions: Reductions) -> PricedLine:
    used = Usage(quantity=_units(part)) if part.usage is None else _used(part, usage)
    return _line_of(part, used, bill, reductions)


def _used(part: Part, usage: UsageRead) -> Usage:
    """What was used of a part; raises what keeps its meter from answering."""
    found = usage.of(part)
    groups: tuple[GroupUsage, ...] = ()
    if part.usage is not None and part.usage.group_by:
        groups = tuple(GroupUsage(group_of(row.group), row.quantity) for row in found)
    events = sum(row.events for row in found)
    return Usage(quantity=sum((row.quantity for row in found), ZERO), events=events, groups=groups)


def _line_of(part: Part, used: Usage, bill: Bill, reductions: Reductions) -> PricedLine:
    events = (used.events or 0) if part.usage else 0
    rated, draws = rate_prepaid(part, used, bill, reductions)
    meter_version_id = part.usage.meter_version_id if part.usage else None
    return replace(_line(part, rated), meter_version_id=meter_version_id, events=events, draws=draws)


def _fee(part: Part) -> RatedLine:
    """A fixed or seat price."""
    usage = Usage(quantity=_units(part))
    return rate(part.terms, usage, currency=_currency(part), fraction=part.fraction)


def _units(part: Part) -> Decimal:
    return Decimal(part.seats if part.price.kind == PriceKind.SEAT else 1)


def _settle(settlement: Settlement, billed: Billed, paid_for: Period) -> list[PricedLine]:
    """The difference between what a period paid for in advance came to and what was charged for it, if any, over the
    days from the first change on. What a void or a credit note gave back already is not given back again."""
    parts, whole, charged = settlement.parts, settlement.whole, billed.amount
    rated = [_fee(part) for part in parts]
    difference = sum((one.amount for one in rated), ZERO) - charged
    if difference < 0:
        difference = max(min(difference + billed.corrected, ZERO), billed.given_back - charged)
    if not difference:
        return []
    before = _units(parts[0]) if parts else Decimal(1)
    after = _units(parts[-1]) if parts and parts[-1].period.end == whole.end else ZERO
    if not charged and parts:
        before = ZERO
    rows = [BreakdownRow(ZERO, one.quantity, one.quantity, None, one.amount, one.amount) for one in rated]
    kept = difference - sum((row.amount for row in rows), ZERO)
    rows.append(BreakdownRow(ZERO, ZERO, ZERO, None, kept, kept, reason="charged_in_advance"))
    steps = rated[-1].steps[-1:] if rated else ()
    total = RatedLine(after - before, difference, difference, None, tuple(rows), steps)
    description = f"{settlement.price.name}: changes in the period"
    return [
        _new_line(
            settlement.subscription,
            settlement.price,
            _days_settled(settlement, paid_for, difference, charged),
            total,
            role=LineRole.SETTLEMENT,
            description=description,
            billed=billed if difference < 0 else None,
            tax_rate=billed.tax_rate if difference < 0 else None,
        )
    ]


def _days_settled(settlement: Settlement, paid_for: Period, difference: Decimal, charged: Decimal) -> Period:
    """The days that a settlement is for: from the first change on, and of what is given back no days but those that
    were paid for."""
    parts, whole = settlement.parts, settlement.whole
    if not parts:
        return paid_for
    if not charged:
        return Period(parts[0].period.start, whole.end)
    changes = [part.period.start for part in parts[1:]] + [part.period.end for part in parts]
    since, end = (min(changes), min(whole.end, paid_for.end)) if difference < 0 else (changes[0], whole.end)
    return Period(since, end) if since < end else Period(min(paid_for.start, parts[0].period.start), end)


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
    return Decimal(customer.tax_rate if price is None or price.tax_rate is None else price.tax_rate)


def _currency(part: Part) -> str:
    return part.price.plan_version.currency


def _commitment_of(line: PricedLine, commitments: Sequence[Part]) -> Part | None:
    """The commitment that a line in arrears counts towards: that of its plan version over its days, or, of usage
    within a day that belongs to another version, the next one of its version in the period, else the one before."""
    assert line.price is not None, "charges made by hand are added later"
    if line.price.bill != BillTime.IN_ARREARS:
        return None
    mine = [one for one in commitments if one.price.plan_version_id == line.price.plan_version_id]
    later = [one for one in mine if one.period.end > line.period.start]
    return next(iter(later or mine[-1:]), None)


def _true_up(part: Part, reached: Decimal, bill: Bill) -> list[PricedLine]:
    """What is missing to the commitment of a period, if anything, beyond what its lines in arrears have `reached`: its
    fees count, also those paid in advance."""
    assert bill.arrears is not None, "a commitment is charged in arrears"
    committed = rate(part.terms, Usage(quantity=Decimal(1)), currency=_currency(part), fraction=part.fraction)
    charged = sum((_fee(fee).amount for fee in fees_in_advance(part, bill.regime, bill.arrears)), ZERO)
    missing = committed.amount - charged - reached
    if missing <= 0:
        return []
    row = BreakdownRow(ZERO, Decimal(1), Decimal(1), None, missing, missing)
    return [_line(part, RatedLine(Decimal(1), missing, missing, None, (row,), committed.steps))]
