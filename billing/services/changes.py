"""Changing a running subscription: its seats, or its plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.models import Plan, SeatChange, Subscription
from billing.models.catalogue import Bill
from billing.queries.bills import billed_from, open_bill, period_end
from billing.queries.seats import seats_at
from billing.services.customers import subscribe
from kernel.errors import ConflictError, InvalidError
from kernel.period import midnight


class PaidInAdvance(ConflictError):
    """What was paid in advance is not given back, so it can only end with its period."""

    code = "paid_in_advance"


class NotRunning(ConflictError):
    code = "subscription_not_running"


def change_seats(*, subscription: Subscription, seats: int, when: str, now: datetime) -> SeatChange:
    """Another number of seats from `now` on, or from the next period on; the day belongs to the new number.

    More seats in a period paid in advance are charged for its remaining days with the next invoice; fewer
    only from the next period on (`PaidInAdvance`). Raises `NotRunning` outside the subscription.
    """
    with transaction.atomic():
        locked = _lock(subscription, now)
        starts_at = now if when == "now" else period_end(locked, now)
        if when == "now" and seats < seats_at(locked, now) and _pays_in_advance(locked, kinds={"seat"}):
            raise PaidInAdvance("These seats are paid in advance: take them off at the end of the period")
        if seats == 0 and any(price.kind == "seat" for price in locked.plan_version.prices.all()):
            raise InvalidError("This plan has a price per seat: say how many seats", code="seats_missing")
        locked.seat_changes.filter(starts_at__gte=starts_at).delete()
        return SeatChange.objects.create(subscription=locked, seats=seats, starts_at=starts_at)


def change_plan(
    *, subscription: Subscription, plan: Plan, when: str, now: datetime, seats: int | None = None
) -> Subscription:
    """Move a customer to another plan, now or at the end of the period; the day belongs to the new plan.

    The old subscription ends and a new one begins, which is returned. With fees paid in advance a plan is
    changed at the end of the period (`PaidInAdvance`).
    """
    with transaction.atomic():
        locked = _lock(subscription, now)
        zone = ZoneInfo(locked.customer.timezone)
        if when == "now":
            if _pays_in_advance(locked, kinds={"fixed", "seat"}):
                raise PaidInAdvance("This plan's fees are paid in advance: change it at the end of the period")
            starts_at = midnight(now.astimezone(zone).date(), zone)
            ends_at = starts_at - timedelta(microseconds=1)
            if ends_at < billed_from(locked):
                raise ConflictError("A plan cannot be changed on its first day", code="changed_on_first_day")
        else:
            starts_at = ends_at = period_end(locked, now)
        Subscription.objects.filter(pk=locked.pk).update(ends_at=ends_at)
        return subscribe(
            customer=locked.customer,
            plan=plan,
            starts_at=starts_at,
            seats=seats_at(locked, now) if seats is None else seats,
            anchor=locked.anchor,
            trial_days=0,
        )


def _lock(subscription: Subscription, now: datetime) -> Subscription:
    locked = (
        Subscription.objects.select_for_update(of=("self",))
        .select_related("customer", "plan_version__plan")
        .prefetch_related("plan_version__prices", "seat_changes")
        .get(pk=subscription.pk)
    )
    if locked.ends_at is not None or open_bill(locked, now) is None:
        raise NotRunning("This subscription is not running: it has not begun, is on trial, or has an end")
    return locked


def _pays_in_advance(subscription: Subscription, *, kinds: set[str]) -> bool:
    prices = subscription.plan_version.prices.all()
    return any(price.bill == Bill.IN_ADVANCE and price.kind in kinds for price in prices)
