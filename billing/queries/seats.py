"""How many seats a subscription has, and from when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.domain.proration import segments
from billing.models import Subscription
from billing.queries.bills import billed_from, in_force
from kernel.period import Period, midnight


@dataclass(frozen=True, slots=True)
class SeatSpan:
    """Days of a billing period with one number of seats: what part of the whole period they are, and how many
    seats there were just before, where the number changed within the period."""

    period: Period
    fraction: Fraction
    seats: int
    before: int | None


def seats_at(subscription: Subscription, instant: datetime) -> int:
    """The number of seats on the day of `instant`."""
    zone = ZoneInfo(subscription.customer.timezone)
    day = instant.astimezone(zone).date()
    seats = subscription.seats
    for change in subscription.seat_changes.all():
        if change.starts_at.astimezone(zone).date() <= day:
            seats = change.seats
    return seats


def seat_spans(subscription: Subscription, whole: Period) -> Iterator[SeatSpan]:
    """The spans of a whole billing period in which the number of seats stood still; their fractions sum to the
    period's."""
    zone = ZoneInfo(subscription.customer.timezone)
    active = in_force(subscription, whole)
    if active is None:
        return
    changes = [change for change in subscription.seat_changes.all() if active.start < change.starts_at < active.end]
    parts = segments(
        whole,
        zone,
        changes_at=[change.starts_at for change in changes],
        starts_at=billed_from(subscription),
        ends_at=subscription.ends_at,
    )
    starts = [active.start, *(midnight(change.starts_at.astimezone(zone).date(), zone) for change in changes)]
    before: int | None = None
    for fraction, start, end in zip(parts, starts, [*starts[1:], active.end], strict=True):
        if fraction:
            seats = seats_at(subscription, start)
            yield SeatSpan(Period(start, end), fraction, seats, before)
            before = seats
