"""What becomes of reservations: committed, released, or over.

Whoever ends one locks it, then the totals it holds of in their order; an evaluation does the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from budgets.contracts import MOST_EVENTS, ReservationCommitted, ReservationEnded
from budgets.models import Hold, Measure, Reservation, ReservationState, RunningTotal
from kernel.errors import InvalidError
from kernel.money import EXACT
from metering.facade import event_identity
from rest.lookup import find

#: How long a commit waits for the events it named; then they are taken to have been lost.
PATIENCE = timedelta(hours=24)
#: How long an ended reservation can be looked at.
KEPT = timedelta(days=7)

_AT_ONCE = 500
_LIVE = (ReservationState.HELD, ReservationState.COMMITTED)


class CommitInvalid(InvalidError):
    code = "commit_invalid"


def get_reservation(*, organization_id: int, reservation: str) -> Reservation:
    """The reservation with this id; `NotFoundError` with code `reservation_not_found`."""
    rows = Reservation.objects.filter(organization_id=organization_id).select_related("customer")
    return find(rows, reservation, what="reservation")


def commit_reservation(
    *,
    organization_id: int,
    reservation: str,
    now: datetime,
    quantity: Decimal | None = None,
    amount: Decimal | None = None,
    cost: Decimal | None = None,
    events: Sequence[Mapping[str, str]] = (),
) -> Reservation:
    """The work is done: from now on its usage counts instead of the hold.

    The hold goes with the evaluation that counts the usage: of `events` (`{"source", "id"}`), once all of them are in
    the log; without any, they are taken to be there already. What was used in fact (`quantity`, and of money `amount`
    and `cost`) takes the place of the estimate until then, also where it is more. Committing again changes nothing.
    Raises `ReservationEnded` for one that was released or has expired: its usage counts all the same.
    """
    if len(events) > MOST_EVENTS:
        raise CommitInvalid(f"A commit names at most {MOST_EVENTS} events")
    named = [str(event_identity(organization_id, one["source"], one["id"])) for one in events]
    with transaction.atomic():
        held = _locked(organization_id, reservation)
        if held.state in (ReservationState.COMMITTED, ReservationState.SETTLED):
            return held
        if held.state == ReservationState.HELD and held.expires_at > now:
            _measure(held, quantity, amount, cost)
            held.state, held.events, held.ended_at, held.expires_at = (
                ReservationState.COMMITTED, named, now, now + PATIENCE,
            )  # fmt: skip
            if not held.holds.exists():
                held.state = ReservationState.SETTLED
            held.save(update_fields=["state", "events", "ended_at", "expires_at"])
            return held
    raise ReservationEnded("This reservation has ended; what was used counts all the same")


def release_reservation(*, organization_id: int, reservation: str, now: datetime) -> Reservation:
    """The work is not done: what was held is free again. Twice is once. Raises `ReservationCommitted`."""
    with transaction.atomic():
        held = _locked(organization_id, reservation)
        if held.state in (ReservationState.COMMITTED, ReservationState.SETTLED):
            raise ReservationCommitted("This reservation was committed")
        if held.state == ReservationState.HELD:
            _let_go(held)
            held.state, held.ended_at = ReservationState.RELEASED, now
            held.save(update_fields=["state", "ended_at"])
        return held


def expire_reservations(*, now: datetime, totals: Collection[int] | None = None) -> int:
    """End what has expired (of these totals, or all): reservations, and commits whose events never came. What they held
    is free with the next evaluation, which counts what they have used after all. Answers how many; what another
    process is at is left to it."""
    count = 0
    while True:
        with transaction.atomic():
            due = Reservation.objects.filter(state__in=_LIVE, expires_at__lte=now)
            if totals is not None:
                due = due.filter(pk__in=Hold.objects.filter(total__in=totals, is_settled=False).values("reservation"))
            locked = due.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:_AT_ONCE]
            found = [one.pk for one in locked]
            if found:
                Reservation.objects.filter(pk__in=found).update(state=ReservationState.EXPIRED, ended_at=now)
        count += len(found)
        if len(found) < _AT_ONCE:
            return count


def forget_reservations(*, now: datetime) -> int:
    """Delete what ended long ago."""
    count = 0
    while True:
        old = Reservation.objects.exclude(state__in=_LIVE).filter(ended_at__lt=now - KEPT)
        found = list(old.values_list("pk", flat=True)[: _AT_ONCE * 10])
        Hold.objects.filter(reservation__in=found).delete()
        count += Reservation.objects.filter(pk__in=found).delete()[0]
        if len(found) < _AT_ONCE * 10:
            return count


def _locked(organization_id: int, reservation: str) -> Reservation:
    found = get_reservation(organization_id=organization_id, reservation=reservation)
    return Reservation.objects.select_for_update().get(pk=found.pk)


def _let_go(held: Reservation) -> None:
    """Settle all that this (locked) reservation holds."""
    holds = Hold.objects.filter(reservation=held, is_settled=False)
    _lock_totals(holds.values_list("total_id", flat=True))
    freed: dict[int, Decimal] = defaultdict(Decimal)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE budgets_hold SET is_settled = TRUE WHERE reservation_id = %s AND NOT is_settled"
            " RETURNING total_id, amount",
            [held.pk],
        )
        for total_id, amount in cursor.fetchall():
            freed[total_id] -= amount
    _add(freed)


def _measure(held: Reservation, quantity: Decimal | None, amount: Decimal | None, cost: Decimal | None) -> None:
    """Put what was used in fact in the place of what was estimated."""
    holds = list(held.holds.filter(is_settled=False).select_related("total__budget"))
    changes: dict[int, Decimal] = {}
    for hold in holds:
        actual = _actual(held, hold, quantity, amount, cost)
        if actual is not None and actual != hold.amount:
            changes[hold.total_id] = EXACT.subtract(actual, hold.amount)
            hold.amount = actual
    if changes:
        _lock_totals(changes)
        Hold.objects.bulk_update(holds, ["amount"])
        _add(changes)


def _actual(
    held: Reservation, hold: Hold, quantity: Decimal | None, amount: Decimal | None, cost: Decimal | None
) -> Decimal | None:
    budget = hold.total.budget
    if budget is None or budget.measure == Measure.METER:
        return quantity
    said = amount if budget.measure == Measure.SPEND else cost
    if said is not None or quantity is None or not held.quantity:
        return said
    return EXACT.divide(EXACT.multiply(hold.amount, quantity), held.quantity)


def _lock_totals(ids: Iterable[int]) -> None:
    list(RunningTotal.objects.select_for_update().filter(pk__in=set(ids)).order_by("pk").values_list("pk"))


def _add(changes: Mapping[int, Decimal]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE budgets_runningtotal t SET held = t.held + v.amount"
            " FROM unnest(%s::bigint[], %s::numeric[]) AS v (id, amount) WHERE t.id = v.id",
            [list(changes), list(changes.values())],
        )
