"""No day of a plan is charged by two subscriptions of a customer who subscribed to it again.

By the days on which their fees are charged. Two of which the first had no end when the second was created are meant to
run beside each other, and so are those that count only events that name them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

from django.db.models import Exists, OuterRef

from billing.invariants.violation import Violation
from billing.models import Subscription
from billing.subscriptions.models import UsageMode
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.timeline import Regime, billed_from, day_of, end_of, regimes, spans, version_at, zone_of
from kernel.period import midnight

#: Days looked at from the start of a subscription on.
_LOOKS_AHEAD = 366


def violations(organization_id: int) -> Iterator[Violation]:
    unnamed = subscriptions_of(organization_id).exclude(usage=UsageMode.NAMED)
    others = Subscription.objects.filter(customer=OuterRef("customer")).exclude(pk=OuterRef("pk"))
    of_customer: dict[str, list[Subscription]] = defaultdict(list)
    for one in unnamed.filter(Exists(others)):
        of_customer[one.customer_id].append(one)
    for subscriptions in of_customer.values():
        for one in subscriptions:
            if one.charged_alone:
                yield from _of(one, [other for other in subscriptions if other.pk < one.pk])


def _of(one: Subscription, others: list[Subscription]) -> Iterator[Violation]:
    plan = version_at(one, one.starts_at).plan
    for other in others:
        day = _shared_day(one, other, plan.pk) if plan.pk in _plans(other) else None
        if day is not None:
            yield Violation(
                one.pk, f"{one.customer.key}: it and {other.pk} both charge {day:%Y-%m-%d} of the plan {plan.key!r}"
            )


def _plans(one: Subscription) -> set[str]:
    return {one.plan_version.plan_id, *(change.plan_version.plan_id for change in one.plan_changes.all())}


def _shared_day(one: Subscription, other: Subscription, plan: str) -> date | None:
    """The first day of `plan` that both charge; None where there is none."""
    zone = zone_of(one)
    first = max(day_of(billed_from(each), zone) for each in (one, other))
    ends = [day_of(ends_at, zone) for each in (one, other) if (ends_at := end_of(each)) is not None]
    last = min([*ends, first + timedelta(days=_LOOKS_AHEAD)])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    both = regimes(one), regimes(other)
    return next((day for day in days if all(_charges(found, day, plan) for found in both)), None)


def _charges(found: list[Regime], day: date, plan: str) -> bool:
    """Return whether fees for `plan` are charged for a day."""
    for regime in found:
        if day >= regime.first_day:
            [whole] = regime.periods(day, day)
            at = midnight(day, regime.zone)
            if any(at in span.period and span.version.plan_id == plan for span in spans(regime, whole)):
                return True
    return False
