"""A subscription's terms over time: when it costs anything, under which plan, with how many seats.

All of it follows from dates that are stored; what ran when makes no difference. Days are those of the
customer's time zone, by the rules of `billing.rating.proration`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import cast
from zoneinfo import ZoneInfo

from billing.models import PlanVersion, Price, Subscription, SubscriptionAddOn
from billing.rating.cycle import Cycle, Interval
from billing.rating.in_force import period_in_force
from billing.subscriptions.models import Anchor
from kernel.period import Period, midnight

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Terms:
    """What has changed about a subscription, by days: plan versions and seats from a day on (the first from ever), and
    pauses by the day they began, the first day off and the day after the last one; so is a last day that belongs to
    another subscription. For usage, which goes by instants,
    `instants` are when each of `versions` began, and `breaks` when pauses began and ended (None for an open one)."""

    versions: tuple[tuple[date, PlanVersion], ...]
    seats: tuple[tuple[date, int], ...]
    pauses: tuple[tuple[date, date, date], ...]
    instants: tuple[datetime, ...]
    breaks: tuple[tuple[datetime, datetime | None], ...]

    @classmethod
    def of(cls, subscription: Subscription) -> Terms:
        """Of a subscription that was loaded with its changes."""
        zone = zone_of(subscription)
        versions = [(day_of(one.starts_at, zone), one.plan_version) for one in subscription.plan_changes.all()]
        seats = [(day_of(one.starts_at, zone), one.seats) for one in subscription.seat_changes.all()]
        pauses = [
            (
                day_of(one.starts_at, zone),
                day_of(one.starts_at, zone) + _DAY,
                date.max if one.ends_at is None else day_of(one.ends_at, zone),
            )
            for one in subscription.pauses.all()
        ]
        if (day := subscription.continued_on) is not None:
            pauses.append((date.min, day, day + _DAY))
        instants = [one.usage_starts_at or one.starts_at for one in subscription.plan_changes.all()]
        breaks = [
            (one.usage_starts_at or one.starts_at, one.usage_ends_at or one.ends_at)
            for one in subscription.pauses.all()
        ]
        return cls(
            ((date.min, subscription.plan_version), *versions),
            ((date.min, subscription.seats), *seats),
            tuple(pauses),
            (_EVER, *instants),
            tuple(breaks),
        )

    def version_on(self, day: date) -> PlanVersion:
        return [version for since, version in self.versions if since <= day][-1]

    def seats_on(self, day: date) -> int:
        return [number for since, number in self.seats if since <= day][-1]

    def days_off(self, known_on: date) -> list[tuple[date, date]]:
        """The days on which nothing is charged, of pauses that began by `known_on`: each as its first day and the day
        after its last. The day of the pause and the day of its end are charged."""
        return [(first, after) for begun, first, after in self.pauses if first < after and begun <= known_on]


@dataclass(frozen=True, slots=True)
class Regime:
    """The part of a subscription in which its periods have one rhythm. Another interval begins another regime;
    another plan with the same interval does not. Its usage is that from `usage_from` until `usage_until`."""

    subscription: Subscription
    cycle: Cycle
    starts_at: datetime
    ends_at: datetime | None
    terms: Terms
    usage_from: datetime
    usage_until: datetime | None
    #: What `spans` has answered, since every price of a period asks for the same.
    answers: dict[tuple[Period, bool, bool], list[Span]] = field(default_factory=dict, compare=False, repr=False)
    #: The same of usage.
    usage_answers: dict[Period, list[Span]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.subscription)

    @property
    def first_day(self) -> date:
        return day_of(self.starts_at, self.zone)

    def periods(self, first: date, until: date) -> Iterator[Period]:
        """The whole billing periods from the one that `first` lies in to the last that begins before `until`."""
        start, end = self.cycle.period_of(first)
        while True:
            yield Period(midnight(start, self.zone), midnight(end, self.zone))
            if end >= until:
                return
            start, end = self.cycle.period_of(end)

    def last_day_before(self, instant: datetime) -> date:
        """The day of the last instant before `instant`."""
        return day_of(instant - _INSTANT, self.zone)

    @property
    def is_first(self) -> bool:
        """Whether the subscription begins with this regime."""
        return self.starts_at == billed_from(self.subscription)

    def opening_of(self, whole: Period) -> datetime:
        """The instant that tells the billing period `whole` apart from all others of the subscription: its start, or
        that of the regime where another interval began within it. (The subscription's first period keeps its own
        start, however late in it the subscription began.)"""
        return whole.start if self.is_first else max(whole.start, midnight(self.first_day, self.zone))

    def in_force(self, whole: Period) -> Period | None:
        """The days of `whole` that lie in this regime, paused ones too; None where none do."""
        return period_in_force(whole, self.zone, starts_at=self.starts_at, ends_at=self.ends_at)


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a billing period on which nothing changed. `fraction` is their part of the whole period, `share` their
    part of all the days in it that have the same plan version."""

    period: Period
    fraction: Fraction
    share: Fraction
    version: PlanVersion
    seats: int


def zone_of(subscription: Subscription) -> ZoneInfo:
    """The zone whose days the subscription is charged by."""
    return ZoneInfo(subscription.customer.timezone)


def billed_from(subscription: Subscription) -> datetime:
    """The instant from which the subscription costs anything: its start, the midnight after its trial, or when that was
    ended early."""
    if subscription.trial_ended_at is not None:
        return subscription.trial_ended_at
    if not subscription.trial_days:
        return subscription.starts_at
    zone = zone_of(subscription)
    first = subscription.starts_at.astimezone(zone).date() + timedelta(days=subscription.trial_days)
    return midnight(first, zone)


def regimes(subscription: Subscription) -> list[Regime]:
    """In order of time; the first begins when the subscription begins to cost anything."""
    zone, terms, ends_at = zone_of(subscription), Terms.of(subscription), end_of(subscription)
    first = day_of(billed_from(subscription), zone)
    starts: dict[date, list[tuple[datetime, PlanVersion]]] = {}
    for (day, version), instant in zip(terms.versions, terms.instants, strict=True):
        starts.setdefault(max(first, day), []).append((instant, version))
    found: list[Regime] = []
    rhythm: tuple[Interval, int] | None = None
    for day, changes in starts.items():
        left = next((instant for instant, version in changes if _rhythm(version) != rhythm), None)
        if left is None:
            continue
        # One that is left ends for good, since its last bill may be issued: also where it is taken up the same day.
        rhythm = _rhythm(changes[-1][1])
        starts_at = billed_from(subscription) if day == first else midnight(day, zone)
        usage_from, usage_until = usage_life(subscription)
        if found:
            if ends_at is not None and _begins_after(found[-1], starts_at, ends_at):
                break
            usage_from = _usage_handed_over(found[-1], day, left)
            found[-1] = replace(
                found[-1], ends_at=starts_at - _INSTANT, usage_until=usage_from, answers={}, usage_answers={}
            )
        cycle = Cycle(*rhythm, day if subscription.anchor == Anchor.ANNIVERSARY else None)
        found.append(Regime(subscription, cycle, starts_at, ends_at, terms, usage_from, usage_until))
    return found


def end_of(subscription: Subscription) -> datetime | None:
    """Its end as days see it: the instant at which a trial is over belongs to the trial."""
    ends_at = subscription.ends_at
    at_trial_end = subscription.trial_days and ends_at == billed_from(subscription) != subscription.starts_at
    return ends_at - _INSTANT if ends_at is not None and at_trial_end else ends_at


def usage_life(subscription: Subscription) -> tuple[datetime, datetime | None]:
    """The instants from which and until which usage is charged: from its start, or the midnight after its trial."""
    start = billed_from(subscription)
    if not subscription.trial_days and subscription.usage_starts_at is not None:
        start = subscription.usage_starts_at
    return start, subscription.usage_ends_at or subscription.ends_at


def _usage_handed_over(left: Regime, day: date, instant: datetime) -> datetime:
    """When usage passes from a regime to the one that begins on `day` with a change at `instant`: then, where the
    regime that is left has a bill for it; else with the day, whose usage is all on the new regime's first bill."""
    start, end = left.cycle.period_of(day)
    whole = Period(midnight(start, left.zone), midnight(end, left.zone))
    begins = midnight(day, left.zone)
    ended = replace(left, ends_at=begins - _INSTANT, answers={}, usage_answers={})
    return max(instant, begins) if whole.start < begins and spans(ended, whole) else begins


def _begins_after(before: Regime, starts_at: datetime, ends_at: datetime) -> bool:
    """Return whether a regime from `starts_at` on begins after the subscription's end. An end at the very instant at
    which a period of the regime before it is over is the end of that period, so that nothing begins with it."""
    if starts_at != ends_at:
        return starts_at > ends_at
    day = before.last_day_before(starts_at)
    [last] = before.periods(day, day)
    return last.end == starts_at


def _rhythm(version: PlanVersion) -> tuple[Interval, int]:
    return cast(Interval, version.interval), version.interval_count


def version_at(subscription: Subscription, instant: datetime) -> PlanVersion:
    """The plan version of the day of `instant`."""
    return Terms.of(subscription).version_on(day_of(instant, zone_of(subscription)))


def seats_at(subscription: Subscription, instant: datetime) -> int:
    """The number of seats on the day of `instant`."""
    return Terms.of(subscription).seats_on(day_of(instant, zone_of(subscription)))


def status_at(subscription: Subscription, now: datetime) -> str:
    """`scheduled`, `trialing`, `active`, `paused` or `ended`. The day it ends still counts; what ends before it begins
    has ended."""
    zone = zone_of(subscription)
    if now < subscription.starts_at:
        never = subscription.ends_at is not None and subscription.ends_at < subscription.starts_at
        return "ended" if never else "scheduled"
    ends_at = end_of(subscription)
    if ends_at is not None and day_of(now, zone) > day_of(ends_at, zone):
        return "ended"
    if now < billed_from(subscription):
        return "trialing"
    return "paused" if paused_at(subscription, now) else "active"


def paused_at(subscription: Subscription, instant: datetime) -> bool:
    """Whether the subscription is paused at `instant`, as far as anybody knows then."""
    return any(
        pause.starts_at <= instant and (pause.ends_at is None or instant < pause.ends_at)
        for pause in subscription.pauses.all()
    )


def spans(regime: Regime, whole: Period, *, by_seats: bool = False, at_start: bool = False) -> list[Span]:
    """The days of `whole` that are charged, cut where the plan (and, `by_seats`, their number) changes.

    Their fractions sum to the part of the period that is charged. With `at_start`, as it looks on the first of
    these days: changes and pauses that begin later are left out of account.
    """
    asked = (whole, by_seats, at_start)
    if asked not in regime.answers:
        regime.answers[asked] = _spans(regime, whole, by_seats, at_start)
    return regime.answers[asked]


def _spans(regime: Regime, whole: Period, by_seats: bool, at_start: bool) -> list[Span]:
    active, terms = regime.in_force(whole), regime.terms
    if active is None:
        return []
    first, end = days_of(active, regime.zone)
    known_on = first if at_start else date.max
    off = terms.days_off(known_on)
    cuts = {day for days in off for day in days}
    if not at_start:
        cuts |= {day for day, _ in terms.versions}
        cuts |= {day for day, _ in terms.seats} if by_seats else set()
    pieces: list[tuple[date, date, PlanVersion, int]] = []
    for day, after in pairwise([first, *sorted(day for day in cuts if first < day < end), end]):
        if any(start <= day < stop for start, stop in off):
            continue
        version, seats = terms.version_on(min(day, known_on)), terms.seats_on(min(day, known_on))
        if pieces and pieces[-1][1] == day and pieces[-1][2] == version and (not by_seats or pieces[-1][3] == seats):
            pieces[-1] = (pieces[-1][0], after, version, pieces[-1][3])
        else:
            pieces.append((day, after, version, seats))
    return _measured(pieces, whole, regime.zone)


def add_on_spans(
    regime: Regime, whole: Period, add_ons: Sequence[SubscriptionAddOn], *, at_start: bool = False
) -> list[Span]:
    """The days of `whole` on which add-ons of one plan are charged, as `spans`; `seats` is their quantity."""
    if not add_ons:
        return []
    active, zone = regime.in_force(whole), regime.zone
    known_on = day_of(active.start, zone) if active and at_start else date.max
    off = regime.terms.days_off(known_on)
    pieces: list[tuple[date, date, PlanVersion, int]] = []
    for add_on in add_ons:
        days = days_of_add_on(regime, active, add_on) if active else None
        if days is None or days[0] > known_on:
            continue
        first, end = days
        for day, after in pairwise([first, *sorted({d for o in off for d in o if first < d < end}), end]):
            if not any(start <= day < stop for start, stop in off):
                pieces.append((day, after, add_on.plan_version, add_on.quantity))
    return _measured(pieces, whole, zone)


def days_of_add_on(regime: Regime, active: Period, add_on: SubscriptionAddOn) -> tuple[date, date] | None:
    """The first day of `active` on which an add-on is charged, and the day after the last; None where it is not.
    The day on which another quantity of its plan takes its place belongs to that one."""
    period = period_in_force(active, regime.zone, starts_at=add_on.starts_at, ends_at=add_on.ends_at)
    if period is None:
        return None
    first, end = days_of(period, regime.zone)
    mine = add_on.starts_at, add_on.pk
    for other in regime.subscription.add_ons.all():
        if other.plan_version.plan_id == add_on.plan_version.plan_id and (other.starts_at, other.pk) > mine:
            end = min(end, day_of(other.starts_at, regime.zone))
    return (first, end) if first < end else None


def charged_prices(subscription: Subscription) -> list[Price]:
    """The prices of every version and add-on the subscription has ever had."""
    versions = [subscription.plan_version, *(change.plan_version for change in subscription.plan_changes.all())]
    versions += [add_on.plan_version for add_on in subscription.add_ons.all()]
    return [price for version in versions for price in version.prices.all()]


def _measured(pieces: list[tuple[date, date, PlanVersion, int]], whole: Period, zone: ZoneInfo) -> list[Span]:
    first, end = days_of(whole, zone)
    days = (end - first).days
    of_version: dict[str, int] = {}
    for day, after, version, _ in pieces:
        of_version[version.pk] = of_version.get(version.pk, 0) + (after - day).days
    return [
        Span(
            Period(midnight(day, zone), midnight(after, zone)),
            Fraction((after - day).days, days),
            Fraction((after - day).days, of_version[version.pk]),
            version,
            seats,
        )
        for day, after, version, seats in pieces
    ]


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def days_of(period: Period, zone: ZoneInfo) -> tuple[date, date]:
    """The first day of a period that begins and ends at midnight, and the day after its last."""
    return period.start.astimezone(zone).date(), (period.end - _INSTANT).astimezone(zone).date() + _DAY
