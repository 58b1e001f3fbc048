"""A subscription's terms over time: when it costs anything, under which plan, with how many seats.

All of it follows from dates that are stored; what ran when makes no difference. Days are those of the
customer's time zone, by the rules of `billing.domain.proration`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from billing.domain.cycle import Cycle, Interval
from billing.domain.in_force import period_in_force
from billing.models import PlanVersion, Price, Subscription, SubscriptionAddOn
from billing.models.customers import Anchor
from kernel.period import Period, midnight

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What has changed about a subscription, by days: plan versions and seats from a day on (the first from ever), and
    pauses by the day they began, the first day off and the day after the last one."""

    versions: tuple[tuple[date, PlanVersion], ...]
    seats: tuple[tuple[date, int], ...]
    pauses: tuple[tuple[date, date, date], ...]

    @classmethod
    def of(cls, subscription: Subscription) -> Terms:
        """Of a subscription that was loaded with its changes."""
        zone = zone_of(subscription)
        versions = [(_day_of(one.starts_at, zone), one.plan_version) for one in subscription.plan_changes.all()]
        seats = [(_day_of(one.starts_at, zone), one.seats) for one in subscription.seat_changes.all()]
        pauses = [
            (
                _day_of(one.starts_at, zone),
                _day_of(one.starts_at, zone) + _DAY,
                date.max if one.ends_at is None else _day_of(one.ends_at, zone),
            )
            for one in subscription.pauses.all()
        ]
        return cls(
            ((date.min, subscription.plan_version), *versions), ((date.min, subscription.seats), *seats), tuple(pauses)
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
    another plan with the same interval does not."""

    subscription: Subscription
    cycle: Cycle
    starts_at: datetime
    ends_at: datetime | None
    terms: Terms
    #: What `spans` has answered, since every price of a period asks for the same.
    answers: dict[tuple[Period, bool, bool], list[Span]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.subscription)

    @property
    def first_day(self) -> date:
        return _day_of(self.starts_at, self.zone)

    def periods(self, first: date, until: date) -> Iterator[Period]:
        """The whole billing periods from the one that `first` lies in to the last that begins before `until`."""
        start, end = self.cycle.period_of(first)
        while True:
            yield Period(midnight(start, self.zone), midnight(end, self.zone))
            if end >= until:
                return
            start, end = self.cycle.period_of(end)

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
    """The instant from which the subscription costs anything: its start, or the midnight after its trial."""
    if not subscription.trial_days:
        return subscription.starts_at
    zone = zone_of(subscription)
    first = subscription.starts_at.astimezone(zone).date() + timedelta(days=subscription.trial_days)
    return midnight(first, zone)


def regimes(subscription: Subscription) -> list[Regime]:
    """In order of time; the first begins when the subscription begins to cost anything."""
    zone, terms = zone_of(subscription), Terms.of(subscription)
    first = _day_of(billed_from(subscription), zone)
    starts: dict[date, PlanVersion] = {}
    for day, version in terms.versions:
        starts[max(first, day)] = version
    found: list[Regime] = []
    rhythm: tuple[Interval, int] | None = None
    for day, version in starts.items():
        if _rhythm(version) == rhythm:
            continue
        rhythm, starts_at = _rhythm(version), billed_from(subscription) if day == first else midnight(day, zone)
        if found:
            if subscription.ends_at is not None and starts_at > subscription.ends_at:
                break
            found[-1] = replace(found[-1], ends_at=starts_at - _INSTANT)
        cycle = Cycle(*rhythm, day if subscription.anchor == Anchor.ANNIVERSARY else None)
        found.append(Regime(subscription, cycle, starts_at, subscription.ends_at, terms))
    return found


def _rhythm(version: PlanVersion) -> tuple[Interval, int]:
    return version.interval, version.interval_count  # type: ignore[return-value]  # the choices of the field


def version_at(subscription: Subscription, instant: datetime) -> PlanVersion:
    """The plan version of the day of `instant`."""
    return Terms.of(subscription).version_on(_day_of(instant, zone_of(subscription)))


def seats_at(subscription: Subscription, instant: datetime) -> int:
    """The number of seats on the day of `instant`."""
    return Terms.of(subscription).seats_on(_day_of(instant, zone_of(subscription)))


def status_at(subscription: Subscription, now: datetime) -> str:
    """`scheduled`, `trialing`, `active`, `paused` or `ended`. The day it ends still counts; what ends before it begins
    has ended."""
    zone = zone_of(subscription)
    if now < subscription.starts_at:
        never = subscription.ends_at is not None and subscription.ends_at < subscription.starts_at
        return "ended" if never else "scheduled"
    if subscription.ends_at is not None and _day_of(now, zone) > _day_of(subscription.ends_at, zone):
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
    first, end = _days(active, regime.zone)
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
    known_on = _day_of(active.start, zone) if active and at_start else date.max
    off = regime.terms.days_off(known_on)
    pieces: list[tuple[date, date, PlanVersion, int]] = []
    for add_on in add_ons:
        period = period_in_force(active, zone, starts_at=add_on.starts_at, ends_at=add_on.ends_at) if active else None
        if period is None or _day_of(period.start, zone) > known_on:
            continue
        first, end = _days(period, zone)
        for day, after in pairwise([first, *sorted({d for o in off for d in o if first < d < end}), end]):
            if not any(start <= day < stop for start, stop in off):
                pieces.append((day, after, add_on.plan_version, add_on.quantity))
    return _measured(pieces, whole, zone)


def charged_prices(subscription: Subscription) -> list[Price]:
    """The prices of every version and add-on the subscription has ever had."""
    versions = [subscription.plan_version, *(change.plan_version for change in subscription.plan_changes.all())]
    versions += [add_on.plan_version for add_on in subscription.add_ons.all()]
    return [price for version in versions for price in version.prices.all()]


def _measured(pieces: list[tuple[date, date, PlanVersion, int]], whole: Period, zone: ZoneInfo) -> list[Span]:
    first, end = _days(whole, zone)
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


def _day_of(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _days(period: Period, zone: ZoneInfo) -> tuple[date, date]:
    """The first day of a period that begins and ends at midnight, and the day after its last."""
    return period.start.astimezone(zone).date(), (period.end - _INSTANT).astimezone(zone).date() + _DAY
