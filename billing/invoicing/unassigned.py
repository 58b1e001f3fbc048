"""Usage that no subscription charges, and why: nothing that came is lost without a word.

Of the months that are in the event log. A customer who never had a subscription is metered alone, and not listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.models import Customer, Subscription
from billing.subscriptions.models import UsageMode
from billing.subscriptions.queries import with_terms
from billing.subscriptions.spells import spells
from billing.subscriptions.timeline import regimes
from kernel.period import Period
from metering.facade import EventCount, count_events, named_days, subjects_after


@dataclass(frozen=True, slots=True)
class Unassigned:
    """Events of a type that no subscription charges. `reason` is `customer_missing` (the events name no customer),
    `customer_unknown`, `subscription_unknown` (they name one that the customer has not), `not_in_force` (at their time
    the subscription they name, or every one of the customer's, has not begun, is paused or has ended) or `not_named`
    (the customer's subscriptions count only events that name them)."""

    subject: str | None
    subscription: str | None
    reason: str
    count: EventCount


def unassigned_usage(
    organization_id: int, period: Period, *, after: str | None, limit: int, customer: str | None = None
) -> tuple[list[Unassigned], str | None]:
    """That of the next `limit` subjects, and the subject to go on `after`, None at the end; `customer` asks for one."""
    found: list[Unassigned] = []
    subjects, following = [customer], None
    if customer is None:
        subjects = list(subjects_after(organization_id, after or "", limit + 1))
        following = subjects[limit - 1] if len(subjects) > limit else None
        if after is None:
            found += _counted(organization_id, None, None, "customer_missing", [period])
    subjects = subjects[:limit]
    customers = {one.key: one for one in Customer.objects.filter(organization=organization_id, key__in=subjects)}
    named = named_days(organization_id, [one for one in subjects if one is not None])
    of_customer: dict[str, list[Subscription]] = {}
    for one in with_terms(Subscription.objects.filter(customer__in=customers.values())):
        of_customer.setdefault(one.customer.key, []).append(one)
    for subject in subjects:
        assert subject is not None
        if subject not in customers:
            found += _counted(organization_id, subject, None, "customer_unknown", [period])
        elif subject in of_customer:
            found += _of_customer(organization_id, subject, of_customer[subject], named.get(subject, ()), period)
    return found, following


def _of_customer(
    organization_id: int, subject: str, subscriptions: Sequence[Subscription], named: Iterable[str], period: Period
) -> Iterator[Unassigned]:
    by_name = {name: one for one in subscriptions for name in one.names}
    in_force = {one.pk: _in_force(one, period) for one in subscriptions}
    for name in sorted(named):
        owner = by_name.get(name)
        reason = "subscription_unknown" if owner is None else "not_in_force"
        gaps = [period] if owner is None else _gaps(period, in_force[owner.pk])
        yield from _counted(organization_id, subject, name, reason, gaps)
    open_to_all = [span for one in subscriptions if one.usage == UsageMode.ANY for span in in_force[one.pk]]
    every = [span for spans in in_force.values() for span in spans]
    yield from _counted(organization_id, subject, None, "not_in_force", _gaps(period, every), unnamed=True)
    not_named = [piece for gap in _gaps(period, open_to_all) for span in _joined(every) if (piece := _both(gap, span))]
    yield from _counted(organization_id, subject, None, "not_named", not_named, unnamed=True)


def _in_force(subscription: Subscription, period: Period) -> list[Period]:
    """When usage is counted, or is free in a trial."""
    found = [spell.period for regime in regimes(subscription) for spell in spells(regime, period)]
    trial_ends = min((regime.usage_from for regime in regimes(subscription)), default=subscription.starts_at)
    ends_at = subscription.ends_at
    trial = period.intersection(subscription.starts_at, trial_ends if ends_at is None else min(trial_ends, ends_at))
    return [trial, *found] if trial else found


def _joined(spans: Iterable[Period]) -> list[Period]:
    joined: list[Period] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Period(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _gaps(period: Period, spans: Iterable[Period]) -> list[Period]:
    gaps: list[Period] = []
    start: datetime = period.start
    for span in _joined(spans):
        if gap := period.intersection(start, span.start):
            gaps.append(gap)
        start = span.end
    rest = period.intersection(start, None)
    return [*gaps, rest] if rest else gaps


def _both(first: Period, second: Period) -> Period | None:
    return first.intersection(second.start, second.end)


def _counted(
    organization_id: int,
    subject: str | None,
    name: str | None,
    reason: str,
    periods: Sequence[Period],
    *,
    unnamed: bool = False,
) -> Iterator[Unassigned]:
    totals: dict[str, EventCount] = {}
    names: tuple[str, ...] | None = () if unnamed else None
    if name is not None:
        names = (name,)
    for period in periods:
        for one in count_events(
            organization_id=organization_id, customer=subject, period=period, names=names, unnamed=unnamed
        ):
            before = totals.get(one.type)
            totals[one.type] = one if before is None else _sum(before, one)
    for type_ in sorted(totals):
        yield Unassigned(subject, name, reason, totals[type_])


def _sum(first: EventCount, second: EventCount) -> EventCount:
    return EventCount(
        first.type,
        first.events + second.events,
        min(first.first_at, second.first_at),
        max(first.last_at, second.last_at),
    )
