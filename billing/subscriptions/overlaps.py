"""Usage that two prices of a customer would both charge: found, and refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from django.db.models import Count, Q

from billing.catalog.models import PriceKind
from billing.models import Customer, PlanVersion, Price, Subscription, SubscriptionAddOn
from billing.subscriptions.models import UsageMode
from billing.subscriptions.queries import subscriptions_of, with_terms
from billing.subscriptions.spells import add_on_spells, spells
from billing.subscriptions.timeline import regimes
from kernel.errors import ConflictError
from kernel.period import Period

_ALWAYS = Period(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Claim:
    """A usage price that charges a subscription's usage in a period, through its plan or the add-on plan `add_on`."""

    subscription: Subscription
    add_on: str | None
    version: PlanVersion
    price: Price
    period: Period

    @property
    def source(self) -> tuple[str, str | None]:
        """What may share a meter with itself: a subscription's plan, or one of its add-ons."""
        return self.subscription.pk, self.add_on


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two prices that charge the same usage of a meter in a period."""

    first: Claim
    second: Claim
    period: Period

    @property
    def ends_at(self) -> datetime | None:
        """When it is over; None where no end is known."""
        return None if self.period.end == _ALWAYS.end else self.period.end

    @property
    def key(self) -> tuple[frozenset[tuple[str, str | None]], str]:
        return frozenset({self.first.source, self.second.source}), self.first.price.meter_id or ""


def overlaps(subscriptions: Iterable[Subscription]) -> list[Overlap]:
    """The overlaps among subscriptions of one customer, loaded with their terms."""
    claims = [claim for one in subscriptions for claim in _claims(one)]
    found = []
    for first, second in combinations(claims, 2):
        both = first.period.intersection(second.period.start, second.period.end)
        if both is not None and _same_usage(first, second):
            found.append(Overlap(first, second, both))
    return found


def beyond(after: Iterable[Overlap], before: Iterable[Overlap]) -> Iterator[Overlap]:
    """Those of `after` that reach beyond what overlapped `before`."""
    known: dict[Any, list[Period]] = {}
    for one in before:
        known.setdefault(one.key, []).append(one.period)
    for one in after:
        left = one.period.start
        for period in sorted(known.get(one.key, ())):
            if period.start <= left < period.end:
                left = period.end
        if left < one.period.end:
            yield one


def are_disjoint(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether no event can pass both filters: some dimension has no value in common."""
    return any(not _values(first[name]) & _values(second[name]) for name in first.keys() & second.keys())


def _values(value: Any) -> set[Any]:
    return set(value) if isinstance(value, list) else {value}


def _same_usage(first: Claim, second: Claim) -> bool:
    if first.source == second.source or first.price.meter_id != second.price.meter_id:
        return False
    modes = {first.subscription.usage, second.subscription.usage}
    if first.subscription.pk != second.subscription.pk and UsageMode.NAMED in modes:
        return False
    return not are_disjoint(first.price.filter, second.price.filter)


def _claims(subscription: Subscription) -> Iterator[Claim]:
    for regime in regimes(subscription):
        of_plan = [(None, spell) for spell in spells(regime, _ALWAYS)]
        of_add_ons = [
            (add_on.plan_version.plan_id, spell)
            for add_on in subscription.add_ons.all()
            for spell in add_on_spells(regime, _ALWAYS, add_on)
        ]
        for add_on, spell in [*of_plan, *of_add_ons]:
            for price in spell.version.prices.all():
                if price.kind == PriceKind.USAGE:
                    yield Claim(subscription, add_on, spell.version, price, spell.period)


def running_overlaps(organization_id: int, now: datetime) -> list[Overlap]:
    """The organization's overlaps that are not over, by customer; of customers on test clocks, by these."""
    several = (
        Subscription.objects.filter(organization_id=organization_id)
        .values("customer")
        .annotate(subscriptions=Count("pk", distinct=True), added=Count("add_ons"))
    )
    customers = several.filter(Q(subscriptions__gt=1) | Q(added__gt=0)).values("customer")
    of_customer: dict[str, list[Subscription]] = {}
    for one in with_terms(Subscription.objects.filter(customer__in=customers)).order_by("customer_id", "pk"):
        of_customer.setdefault(one.customer_id, []).append(one)
    return [
        overlap
        for subscriptions in of_customer.values()
        for overlap in overlaps(subscriptions)
        if overlap.period.end > _clock(subscriptions[0], now)
    ]


def _clock(subscription: Subscription, now: datetime) -> datetime:
    clock = subscription.customer.test_clock
    return now if clock is None else clock.now


class UsageOverlaps(ConflictError):
    """Two prices would charge the same usage."""

    code = "usage_overlaps"


@contextmanager
def usage_charged_once(organization_id: int, customer_id: str) -> Iterator[None]:
    """Let a customer's subscriptions change, and raise `UsageOverlaps` where usage would then be charged twice that was
    not before. Two of them wait for each other. Opened in a transaction, before a subscription is locked."""
    Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    before = _overlaps(organization_id, customer_id)
    yield
    for one in beyond(_overlaps(organization_id, customer_id), before):
        raise UsageOverlaps(_in_words(one))


def _overlaps(organization_id: int, customer_id: str) -> list[Overlap]:
    rows = Subscription.objects.filter(customer=customer_id)
    if rows.count() < 2 and not SubscriptionAddOn.objects.filter(subscription__customer=customer_id).exists():
        return []
    return overlaps(subscriptions_of(organization_id).filter(customer=customer_id))


def _in_words(one: Overlap) -> str:
    return (
        f"Usage of the meter {one.first.price.meter.key!r} would be charged twice from "  # type: ignore[union-attr]
        f"{one.period.start:%Y-%m-%dT%H:%M:%SZ}: by {_named(one.first)}, and by {_named(one.second)}. End one of them, "
        'give their prices filters with different values, or make the new subscription with "usage": "named", which '
        "counts only events that name it"
    )


def _named(claim: Claim) -> str:
    add_on = "the add-on" if claim.add_on else "the plan"
    return (
        f"the price {claim.price.key!r} of {add_on} {claim.version.plan.key!r} in the subscription "
        f"{claim.subscription.key or claim.subscription.pk}"
    )
