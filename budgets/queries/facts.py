"""What a check has to know of a customer: whether it may use anything, its plans' features and prices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.facade import Customer, PlanVersion, Subscription, get_customer, status_at, subscriptions_of, version_at
from budgets.domain.estimates import ZERO, dearest
from budgets.models import Entitlement
from collection.facade import is_suspended
from kernel.money import EXACT
from metering.facade import Kept


@dataclass(frozen=True, slots=True)
class Grant:
    """A feature that the customer's plans have: without end where `limit` is None."""

    feature_id: str
    meter_id: str | None
    limit: Decimal | None
    is_hard: bool
    period: str


@dataclass(frozen=True, slots=True)
class MeterPrice:
    """What a plan charges for usage of a meter: its pricing model's JSON, in units of `rate` of the currency each."""

    meter_id: str
    model: Mapping[str, Any]
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    """`clock` is what the customer's test clock says; `grants` are by the feature's id."""

    customer_id: str
    key: str
    currency: str
    clock: datetime | None
    is_suspended: bool
    is_subscribed: bool
    plans: frozenset[str]
    grants: Mapping[str, Grant]
    prices: tuple[MeterPrice, ...]

    def most_charged(self, *, meter_id: str, quantity: Decimal) -> Decimal | None:
        """The most that so much more usage can be charged; None where that cannot be said. See `dearest`."""
        amounts = [(dearest(one.model, quantity), one.rate) for one in self.prices if one.meter_id == meter_id]
        if any(amount is None for amount, _ in amounts):
            return None
        return sum((EXACT.multiply(amount, rate) for amount, rate in amounts if amount is not None), ZERO)


#: A change of plan, a payment that ends a suspension: seen by checks after so many seconds.
_kept: Kept[Facts] = Kept(seconds=3.0)


def facts_of(*, organization_id: int, customer: str, now: datetime) -> Facts:
    """By key or id; raises `NotFoundError` with code `customer_not_found`. Believed for three seconds, but for those
    who live by a test clock."""
    if (known := _kept.get((organization_id, customer))) is not None:
        return known
    found = get_customer(organization_id=organization_id, customer=customer)
    facts = _facts(found, now)
    return facts if facts.clock is not None else _kept.keep((organization_id, customer), facts)


def facts_of_nobody(customer: str) -> Facts:
    """Those of a customer that does not exist (yet)."""
    return Facts(
        customer_id="",
        key=customer,
        currency="",
        clock=None,
        is_suspended=False,
        is_subscribed=False,
        plans=frozenset(),
        grants={},
        prices=(),
    )


def forget_facts(*, organization_id: int, customer: str) -> None:
    """To be called where a customer's plans have changed and that is to be seen at once."""
    _kept.forget((organization_id, customer))


def _facts(customer: Customer, now: datetime) -> Facts:
    clock = customer.test_clock.now if customer.test_clock is not None else None
    at = clock or now
    open_ones = [
        one
        for one in subscriptions_of(customer.organization_id).filter(customer=customer)
        if one.starts_at <= at and status_at(one, at) in {"active", "trialing"}
    ]
    versions = [version for one in open_ones for version in _versions(one, at)]
    return Facts(
        customer_id=customer.pk,
        key=customer.key,
        currency=customer.currency,
        clock=clock,
        is_suspended=is_suspended(customer),
        is_subscribed=bool(open_ones),
        plans=frozenset(version.plan_id for version in versions),
        grants=_grants(versions),
        prices=tuple(
            MeterPrice(price.meter_id, price.model, price.unit_rate or Decimal(1))
            for version in versions
            for price in version.prices.all()
            if price.meter_id is not None
        ),
    )


def _versions(one: Subscription, at: datetime) -> list[PlanVersion]:
    add_ons = (
        add_on.plan_version
        for add_on in one.add_ons.all()
        if add_on.starts_at <= at and (add_on.ends_at is None or at <= add_on.ends_at)
    )
    return [version_at(one, at), *add_ons]


def entitlements_of(versions: Iterable[PlanVersion]) -> dict[str, list[Entitlement]]:
    """The features of each plan version, by its id: its own; else those of the version a customer's own is based on,
    else of the last version before it that has any. One query."""
    wanted = list(versions)
    rows = (
        Entitlement.objects.filter(plan_version__plan__in={one.plan_id for one in wanted})
        .select_related("feature__meter", "plan_version")
        .order_by("feature_id")
    )
    by_version: dict[str, list[Entitlement]] = defaultdict(list)
    numbers: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        version = row.plan_version
        if version.pk not in by_version and version.customer_id is None:
            numbers[version.plan_id].append((version.number, version.pk))
        by_version[version.pk].append(row)
    found = {}
    for one in wanted:
        before = [pk for number, pk in sorted(numbers[one.plan_id]) if number <= one.number]
        source = one.pk if one.pk in by_version else (before[-1] if before else one.pk)
        found[one.pk] = by_version.get(source, [])
    return found


def _grants(versions: list[PlanVersion]) -> dict[str, Grant]:
    """What all plans together grant: limits add up, and one without a limit is without end."""
    found: dict[str, Grant] = {}
    for rows in entitlements_of(versions).values() if versions else ():
        for row in rows:
            grant = Grant(row.feature_id, row.feature.meter_id, row.limit, row.is_hard, row.period)
            found[row.feature_id] = _together(found[row.feature_id], grant) if row.feature_id in found else grant
    return found


def _together(one: Grant, other: Grant) -> Grant:
    limit = None if one.limit is None or other.limit is None else EXACT.add(one.limit, other.limit)
    return replace(one, limit=limit, is_hard=one.is_hard and other.is_hard)
