"""What a bill is made of: each price of the plan over the days it is charged for, and what it needs to be priced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from billing.catalog.models import Bill as BillTime
from billing.catalog.models import PriceKind
from billing.invoicing.bills import Bill
from billing.invoicing.models import InvoiceKind
from billing.models import Price, Subscription
from billing.rating.price_terms import parse_terms
from billing.rating.pricing.matrix import Matrix
from billing.rating.rate import PriceTerms
from billing.subscriptions.spells import add_on_usage_spans, usage_spans
from billing.subscriptions.timeline import Regime, Span, add_on_spans, charged_prices, spans
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
    the number of seats it needs."""

    subscription: Subscription
    price: Price
    terms: PriceTerms
    period: Period
    fraction: Fraction
    usage: UsageKey | None = None
    seats: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """A price paid in advance, over those days of a billing period that a bill settles: its amount by what is known
    now, part by part. The difference to what was charged from one of these days on is charged or given back."""

    subscription: Subscription
    price: Price
    whole: Period
    days: Period
    parts: tuple[Part, ...]


def parts_of(bill: Bill, versions: Mapping[str, MeterVersion]) -> list[Part | Settlement]:
    """What the bill charges: prices in arrears for the period behind it, prices in advance for the one before it,
    and what has changed about those that were paid for in advance. A threshold invoice charges usage alone. One that
    opens another interval gives back what was paid for its days under the interval before."""
    found: list[Part | Settlement] = []
    for price in {price.pk: price for price in charged_prices(bill.subscription)}.values():
        if bill.kind == InvoiceKind.THRESHOLD and price.kind != PriceKind.USAGE:
            continue
        if price.bill == BillTime.IN_ARREARS:
            if bill.arrears is not None:
                found += _parts(bill.regime, price, bill.arrears, versions)
            continue
        coming = list(_parts(bill.regime, price, bill.advance, versions, at_start=True)) if bill.advance else []
        if bill.arrears is not None and bill.settles is not None:
            parts = tuple(_parts(bill.regime, price, bill.arrears, versions))
            found.append(Settlement(bill.subscription, price, bill.arrears, bill.settles, parts))
        elif bill.settles is not None and not coming:
            found.append(Settlement(bill.subscription, price, bill.settles, bill.settles, ()))
        found += coming
    return found


def fees_in_advance(part: Part, regime: Regime, whole: Period) -> list[Part]:
    """What the other prices of a part's plan version that are paid in advance come to over its days."""
    return [
        fee
        for price in part.price.plan_version.prices.all()
        if price.bill == BillTime.IN_ADVANCE
        for fee in _parts(regime, price, whole, {})
        if part.period.start <= fee.period.start and fee.period.end <= part.period.end
    ]


def parts_of_price(regime: Regime, price: Price, whole: Period) -> list[Part]:
    """A fee over each of the spans of `whole` in which its plan version was charged, by what is known today."""
    return list(_parts(regime, price, whole, {}))


def _parts(
    regime: Regime,
    price: Price,
    whole: Period,
    versions: Mapping[str, MeterVersion],
    *,
    at_start: bool = False,
) -> Iterator[Part]:
    """The price over each of the spans of `whole` in which its plan version was charged: usage by instants, fees by
    days."""
    terms = terms_of(price)
    for span in _spans(regime, price, whole, at_start):
        # What is not prorated is charged once a period, in however many spans.
        fraction = span.fraction if terms.prorate else span.share
        seats = span.seats if price.kind == PriceKind.SEAT else 0
        key = _usage_key(price, terms, span.period, versions) if price.meter_id is not None else None
        prorated = replace(terms, prorate=True)
        if price.kind == PriceKind.USAGE and not fraction:
            # Usage within a day that belongs to another plan: nothing is included, and the maximum is that of a day.
            prorated = replace(prorated, included=Decimal(0), minimum=None)
            fraction = Fraction(1, whole.days(regime.zone))
        yield Part(regime.subscription, price, prorated, span.period, fraction, key, seats)


def _spans(regime: Regime, price: Price, whole: Period, at_start: bool) -> list[Span]:
    add_ons = [one for one in regime.subscription.add_ons.all() if one.plan_version_id == price.plan_version_id]
    if price.kind == PriceKind.USAGE:
        found = add_on_usage_spans(regime, whole, add_ons) if add_ons else usage_spans(regime, whole)
        return [span for span in found if span.version.pk == price.plan_version_id]
    if add_ons:
        return add_on_spans(regime, whole, add_ons, at_start=at_start)
    found = spans(regime, whole, by_seats=price.kind == PriceKind.SEAT, at_start=at_start)
    return [span for span in found if span.version.pk == price.plan_version_id]


def _usage_key(price: Price, terms: PriceTerms, period: Period, versions: Mapping[str, MeterVersion]) -> UsageKey:
    assert price.meter_id is not None
    return UsageKey(
        meter_version_id=versions[price.meter_id].pk,
        period=period,
        where=tuple(sorted(price.filter.items())),
        group_by=tuple(terms.model.dimensions) if isinstance(terms.model, Matrix) else (),
    )


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
            "pricing_unit": None if price.unit_rate is None else {"rate": format(price.unit_rate, "f")},
        }
    )
