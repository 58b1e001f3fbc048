"""What a bill is made of: each price of the plan over the days it is charged for, and what it needs to be priced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.domain.price_terms import parse_terms
from billing.domain.pricing import Matrix
from billing.domain.proration import period_fraction
from billing.domain.rating import PriceTerms
from billing.models import Price, Subscription
from billing.models.catalogue import Bill as BillTime
from billing.models.catalogue import PriceKind
from billing.queries.bills import Bill, billed_from, in_force
from billing.queries.seats import SeatSpan, seat_spans, seats_at
from kernel.period import Period
from metering.facade import MeterVersion


@dataclass(frozen=True, slots=True)
class UsageKey:
    """What one usage statement asks for, for all customers who share it."""

    meter_version_id: int
    period: Period
    where: tuple[tuple[str, str], ...]
    group_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One price of one subscription over days of a billing period: what part of the whole they are, and the usage or
    the number of seats it needs. With `seats_before`, only what more seats than those cost."""

    subscription: Subscription
    price: Price
    terms: PriceTerms
    period: Period
    fraction: Fraction
    usage: UsageKey | None = None
    seats: int = 0
    seats_before: int | None = None


def parts_of(bill: Bill, versions: Mapping[str, MeterVersion]) -> list[Part]:
    """What the bill charges: prices in arrears for the period behind it, in advance for the one before it, and
    seats that were added to a period already paid for."""
    found: list[Part] = []
    for price in bill.subscription.plan_version.prices.all():
        if price.kind == PriceKind.SEAT:
            found += _seat_parts(bill, price)
        elif (whole := bill.advance if price.bill == BillTime.IN_ADVANCE else bill.arrears) is not None:
            found.append(_part(bill.subscription, price, whole, versions))
    return found


def _seat_parts(bill: Bill, price: Price) -> Iterator[Part]:
    """A seat price's spans. In advance: of the period behind the bill what was added after it began, and the
    coming period by the seats it begins with."""
    subscription, terms = bill.subscription, terms_of(price)
    in_advance = price.bill == BillTime.IN_ADVANCE
    if bill.arrears is not None:
        for span in seat_spans(subscription, bill.arrears):
            if not in_advance:
                yield Part(subscription, price, terms, span.period, span.fraction, seats=span.seats)
            elif span.before is not None and span.seats > span.before:
                yield _added_seats(subscription, price, terms, bill.arrears, span)
    if in_advance and bill.advance is not None:
        period = _in_force(subscription, bill.advance)
        seats = seats_at(subscription, period.start)
        yield Part(subscription, price, terms, period, _fraction(subscription, bill.advance), seats=seats)


def _added_seats(subscription: Subscription, price: Price, terms: PriceTerms, whole: Period, span: SeatSpan) -> Part:
    """What a span has more seats than the one before it, from its first day to the end of the period."""
    rest = Period(span.period.start, _in_force(subscription, whole).end)
    zone = ZoneInfo(subscription.customer.timezone)
    fraction = period_fraction(whole, zone, starts_at=rest.start, ends_at=subscription.ends_at)
    return Part(subscription, price, terms, rest, fraction, seats=span.seats, seats_before=span.before)


def _in_force(subscription: Subscription, whole: Period) -> Period:
    period = in_force(subscription, whole)
    assert period is not None, "a bill has no period in which its subscription was not in force"
    return period


def _fraction(subscription: Subscription, whole: Period) -> Fraction:
    zone = ZoneInfo(subscription.customer.timezone)
    return period_fraction(whole, zone, starts_at=billed_from(subscription), ends_at=subscription.ends_at)


def _part(subscription: Subscription, price: Price, whole: Period, versions: Mapping[str, MeterVersion]) -> Part:
    terms = terms_of(price)
    period = _in_force(subscription, whole)
    key = None
    if price.meter_id is not None:
        key = UsageKey(
            meter_version_id=versions[price.meter_id].pk,
            period=period,
            where=tuple(sorted(price.filter.items())),
            group_by=tuple(terms.model.dimensions) if isinstance(terms.model, Matrix) else (),
        )
    return Part(subscription, price, terms, period, _fraction(subscription, whole), key)


def terms_of(price: Price) -> PriceTerms:
    """A stored price as the domain reads it."""
    return parse_terms(
        {
            "kind": "fixed" if price.kind == PriceKind.COMMITMENT else price.kind,
            "model": price.model,
            "included": format(price.included, "f"),
            "minimum": None if price.minimum is None else format(price.minimum, "f"),
            "maximum": None if price.maximum is None else format(price.maximum, "f"),
            "prorate": price.prorate,
        }
    )
