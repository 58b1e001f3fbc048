"""What subscriptions come to for a month: read from the meters, priced by the domain, stored nowhere.

The preview of an open month and the issued invoice are this same function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db import connection

from billing.domain.in_force import period_in_force
from billing.domain.price_terms import parse_terms
from billing.domain.pricing import GroupUsage, Matrix, Usage, group_of
from billing.domain.proration import period_fraction
from billing.domain.rating import PriceTerms, RatedLine, rate
from billing.models import Price, Subscription
from kernel.errors import TaximeterError
from kernel.money import EXACT, round_to_currency
from kernel.period import Month, Period
from metering.facade import MeterVersion, UsageQuestion, UsageRow, current_versions, usage_of_version

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A price over a period, with what it was computed from."""

    price: Price
    rated: RatedLine
    tax: Decimal
    meter_version_id: int | None
    events: int


@dataclass(frozen=True, slots=True)
class PricedInvoice:
    """What a subscription owes for a month; amounts are rounded to the currency, per line."""

    subscription: Subscription
    currency: str
    period: Period
    lines: tuple[PricedLine, ...]

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


@dataclass(frozen=True, slots=True)
class _UsageKey:
    """What one usage statement asks for, for all customers who share it."""

    meter_version_id: int
    period: Period
    where: tuple[tuple[str, str], ...]
    group_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One price of one subscription, and the usage it needs."""

    subscription: Subscription
    price: Price
    terms: PriceTerms
    usage: _UsageKey | None


def billing_period(subscription: Subscription, month: Month) -> Period | None:
    """The days of `month`, in the customer's time zone, that the subscription is billed for."""
    zone = ZoneInfo(subscription.customer.timezone)
    return period_in_force(month.period(zone), zone, starts_at=subscription.starts_at, ends_at=subscription.ends_at)


def price_month(subscriptions: Sequence[Subscription], month: Month) -> list[PricedInvoice | Unpriceable]:
    """Each subscription's month priced, in their order; those not in force in it are left out.

    Usage is read with one statement per meter, period and filter, however many customers share it.
    For figures that belong together, call this in a transaction of isolation REPEATABLE READ.
    """
    periods = {s.pk: period for s in subscriptions if (period := billing_period(s, month))}
    if not periods:
        return []
    versions = {
        v.meter_id: v for v in current_versions().filter(meter__organization_id=subscriptions[0].organization_id)
    }
    parts: dict[str, list[_Part]] = {}
    broken: dict[str, TaximeterError] = {}
    for subscription in subscriptions:
        if period := periods.get(subscription.pk):
            prices = subscription.plan_version.prices.all()
            try:
                parts[subscription.pk] = [_part(subscription, price, period, versions) for price in prices]
            except TaximeterError as error:
                broken[subscription.pk] = error
    usage = _read_usage([part for of_one in parts.values() for part in of_one], versions)
    return [
        Unpriceable(one, broken[one.pk])
        if one.pk in broken
        else _price(one, month, periods[one.pk], parts[one.pk], usage)
        for one in subscriptions
        if one.pk in periods
    ]


def current_snapshot() -> str:
    """Which transactions the present one can see, as PostgreSQL writes it (`pg_snapshot`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def _part(subscription: Subscription, price: Price, period: Period, versions: Mapping[str, MeterVersion]) -> _Part:
    terms = terms_of(price)
    key = None
    if price.meter_id is not None:
        key = _UsageKey(
            meter_version_id=versions[price.meter_id].pk,
            period=period,
            where=tuple(sorted(price.filter.items())),
            group_by=tuple(terms.model.dimensions) if isinstance(terms.model, Matrix) else (),
        )
    return _Part(subscription, price, terms, key)


def terms_of(price: Price) -> PriceTerms:
    """A stored price as the domain reads it."""
    return parse_terms(
        {
            "kind": price.kind,
            "model": price.model,
            "included": format(price.included, "f"),
            "minimum": None if price.minimum is None else format(price.minimum, "f"),
            "maximum": None if price.maximum is None else format(price.maximum, "f"),
            "prorate": price.prorate,
        }
    )


@dataclass(frozen=True, slots=True)
class _UsageRead:
    """What was read for all: rows by question and customer, and the questions that have no answer."""

    rows: Mapping[tuple[_UsageKey, str], list[UsageRow]]
    failures: Mapping[_UsageKey, TaximeterError]

    def of(self, part: _Part) -> list[UsageRow]:
        """The rows of a part; raises what kept its question from being answered."""
        assert part.usage is not None
        if part.usage in self.failures:
            raise self.failures[part.usage]
        return self.rows.get((part.usage, part.subscription.customer.key), [])


def _read_usage(parts: Sequence[_Part], versions: Mapping[str, MeterVersion]) -> _UsageRead:
    customers: dict[_UsageKey, set[str]] = defaultdict(set)
    for part in parts:
        if part.usage is not None:
            customers[part.usage].add(part.subscription.customer.key)
    by_id = {version.pk: version for version in versions.values()}
    rows: dict[tuple[_UsageKey, str], list[UsageRow]] = defaultdict(list)
    failures: dict[_UsageKey, TaximeterError] = {}
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


def _price(
    subscription: Subscription, month: Month, period: Period, parts: Sequence[_Part], usage: _UsageRead
) -> PricedInvoice | Unpriceable:
    zone = ZoneInfo(subscription.customer.timezone)
    fraction = period_fraction(month.period(zone), zone, starts_at=subscription.starts_at, ends_at=subscription.ends_at)
    currency = subscription.plan_version.currency
    try:
        lines = tuple(_price_line(part, usage, currency, fraction) for part in parts)
    except TaximeterError as error:
        return Unpriceable(subscription, error)
    return PricedInvoice(subscription, currency, period, lines)


def _price_line(part: _Part, usage: _UsageRead, currency: str, fraction: Fraction) -> PricedLine:
    events, version_id = 0, None
    if part.usage is not None:
        found = usage.of(part)
        version_id, events = part.usage.meter_version_id, sum(row.events for row in found)
        groups = tuple(GroupUsage(group_of(row.group), row.quantity) for row in found) if part.usage.group_by else ()
        used = Usage(quantity=sum((row.quantity for row in found), ZERO), events=events, groups=groups)
    else:
        used = Usage(quantity=Decimal(part.subscription.seats if part.price.kind == "seat" else 1))
    rated = rate(part.terms, used, currency=currency, fraction=fraction)
    tax = round_to_currency(EXACT.multiply(rated.amount, part.subscription.customer.tax_rate), currency)
    return PricedLine(part.price, rated, tax, version_id, events)
