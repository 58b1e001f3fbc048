"""Bringing running totals up to what the log says.

Reading is one transaction that sees one snapshot; writing is another, so that checks and evaluations never fail each
other. A hold goes in the very statement that takes in the usage it stood for: what is used and held together never
falls short of the usage of reserved work. An evaluation that was overtaken by another writes nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from budgets.models import EvaluationMark, Hold, Reservation, ReservationState, RunningTotal
from budgets.queries.due import (
    REFRESH,
    ReadyHold,
    active_totals,
    due_by_subjects,
    due_by_time,
    end_of,
    organizations_due,
    ready_holds,
    written,
)
from budgets.queries.periods import now_of
from budgets.queries.used import Reading, read_used
from budgets.services.crossings import record_crossings
from kernel.period import Period
from metering.facade import changed_periods, log_positions, log_snapshot
from rest.alone import alone_with
from rest.isolation import one_snapshot

logger = logging.getLogger("budgets")

#: Totals written in one transaction: checks of these wait for it.
CHUNK = 100

_END = datetime(3000, 1, 1, tzinfo=UTC)

_WRITE = """
UPDATE budgets_runningtotal t
SET used = v.used, held = t.held - v.settled, period_start = v.period_start, period_end = v.period_end,
    is_due = v.is_due, revision = t.revision + 1, evaluated_at = %(now)s, period_found_at = v.found_at
FROM unnest(%(ids)s::bigint[], %(used)s::numeric[], %(settled)s::numeric[], %(starts)s::timestamptz[],
            %(ends)s::timestamptz[], %(due)s::boolean[], %(found)s::timestamptz[])
     AS v (id, used, settled, period_start, period_end, is_due, found_at)
WHERE t.id = v.id
"""


def evaluate_budgets(*, now: datetime) -> int:
    """Evaluate what has changed, of every organization; answers how many totals were written. Safe to run anywhere,
    at once and to kill: what an evaluation did not come to is found by the next."""
    count = 0
    for organization_id in organizations_due(now):
        try:
            count += evaluate_organization(organization_id=organization_id, now=now)
        except Exception:
            logger.exception("the budgets of organization %d were not evaluated", organization_id)
    return count


def evaluate_organization(*, organization_id: int, now: datetime) -> int:
    """Evaluate the totals of one organization that its log, the time or a commit has changed. Left to another process
    that is at it."""
    with alone_with(f"budgets of {organization_id}") as alone:
        if not alone:
            return 0
        with one_snapshot():
            mark = EvaluationMark.objects.filter(organization=organization_id).first()
            position, snapshot = log_positions([organization_id])[organization_id], log_snapshot()
            holds = ready_holds(organization_id)
            asked = due_by_time(now) | Q(pk__in={one.total_id for one in holds})
            if mark is None or mark.position != written(position):
                asked |= _changed(organization_id, mark.snapshot if mark else None)
            totals = active_totals().filter(asked, organization=organization_id)
            work = _read(organization_id, totals, holds, end_of(position), now)
        count = _write(work, now)
        EvaluationMark.objects.update_or_create(
            organization_id=organization_id,
            defaults={"position": written(position), "snapshot": snapshot, "evaluated_at": now},
        )
        return count


def evaluate_totals(*, organization_id: int, ids: Sequence[int], now: datetime) -> None:
    """Evaluate these totals, whatever has changed: those that are new, and those whose period is over."""
    with one_snapshot():
        holds = [one for one in ready_holds(organization_id) if one.total_id in ids]
        end = end_of(log_positions([organization_id])[organization_id])
        totals = active_totals().filter(pk__in=ids, organization=organization_id)
        work = _read(organization_id, totals, holds, end, now)
    _write(work, now)


@dataclass(frozen=True, slots=True)
class _Work:
    """A total as it was read, what it has used, and the holds that this stands for now; `later` are those it does not
    stand for yet. `log_end` is the transaction before which all came that is in the log. `period_found_at` is when its
    period was found."""

    total: RunningTotal
    reading: Reading
    holds: tuple[ReadyHold, ...]
    later: tuple[ReadyHold, ...]
    log_end: int
    period_found_at: datetime | None


def _changed(organization_id: int, since: str | None) -> Q:
    if since is None:
        return Q(pk__isnull=False)
    changed = changed_periods(organization_id=organization_id, since=since, until=None, before=_END)
    if not changed:  # events without a customer, or a new meter
        return due_by_subjects([])
    return due_by_subjects({one.subject for one in changed})


def _read(
    organization_id: int, rows: QuerySet[RunningTotal], holds: Sequence[ReadyHold], log_end: int, now: datetime
) -> list[_Work]:
    totals = list(rows)
    # A period that a customer's subscriptions say is found anew only where there is reason to.
    known: dict[int, Period | None] = {
        one.pk: Period(one.period_start, one.period_end)
        for one in totals
        if _still_in_period(one, now) and one.period_start is not None and one.period_end is not None
    }
    readings = read_used(organization_id=organization_id, totals=totals, now=now, periods=known)
    ready: dict[int, list[ReadyHold]] = defaultdict(list)
    for hold in holds:
        ready[hold.total_id].append(hold)
    return [
        _Work(
            one,
            readings[one.pk],
            tuple(hold for hold in ready[one.pk] if _counts(readings[one.pk], hold, log_end)),
            tuple(hold for hold in ready[one.pk] if not _counts(readings[one.pk], hold, log_end)),
            log_end,
            one.period_found_at if one.pk in known else now,
        )
        for one in totals
        if one.pk in readings
    ]


def _counts(reading: Reading, hold: ReadyHold, log_end: int) -> bool:
    return reading.counts(log_end if hold.end is None else hold.end)


def _still_in_period(total: RunningTotal, now: datetime) -> bool:
    if total.is_due or total.period_start is None or total.period_end is None or total.period_found_at is None:
        return False
    return total.period_found_at > now - REFRESH and total.period_start <= now_of(total, now) < total.period_end


def _write(work: Sequence[_Work], now: datetime) -> int:
    return sum(_write_chunk(work[first : first + CHUNK], now) for first in range(0, len(work), CHUNK))


def _write_chunk(work: Sequence[_Work], now: datetime) -> int:
    with transaction.atomic():
        reservations = sorted({hold.reservation_id for one in work for hold in one.holds})
        # Reservations before totals, each in their order: as whoever else locks them.
        list(Reservation.objects.select_for_update().filter(pk__in=reservations).order_by("pk").values_list("pk"))
        locked = RunningTotal.objects.select_for_update().filter(pk__in=[one.total.pk for one in work]).order_by("pk")
        revisions = dict(locked.values_list("pk", "revision"))
        current = [one for one in work if revisions.get(one.total.pk) == one.total.revision]
        overtaken = [one.total.pk for one in work if revisions.get(one.total.pk) != one.total.revision]
        if overtaken:
            RunningTotal.objects.filter(pk__in=overtaken).update(is_due=True)
        if current:
            _update(current, _settle(current), now)
            _note_ends(current)
            _end_reservations(reservations, now)
            record_crossings([(one.total.budget, one.reading) for one in current if one.total.budget], now=now)
        return len(current)


def _settle(work: Sequence[_Work]) -> Mapping[int, Decimal]:
    """Settle the holds whose usage is counted now; what they held of each total."""
    settled: dict[int, Decimal] = defaultdict(Decimal)
    ids = [hold.pk for one in work for hold in one.holds]
    if not ids:
        return settled
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE budgets_hold SET is_settled = TRUE WHERE id = ANY(%s) AND NOT is_settled"
            " RETURNING total_id, amount",
            [ids],
        )
        for total_id, amount in cursor.fetchall():
            settled[total_id] += amount
    return settled


def _note_ends(work: Sequence[_Work]) -> None:
    """Write down how far costs have to be worked out for the holds that are not counted yet."""
    for one in work:
        fresh = [hold.pk for hold in one.later if hold.end is None]
        if fresh:
            Hold.objects.filter(pk__in=fresh, log_end=None).update(log_end=one.log_end)


def _update(work: Sequence[_Work], settled: Mapping[int, Decimal], now: datetime) -> None:
    periods = [one.reading.period for one in work]
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "now": now,
                "ids": [one.total.pk for one in work],
                "used": [one.reading.used for one in work],
                "settled": [settled.get(one.total.pk, Decimal(0)) for one in work],
                "starts": [period.start if period else None for period in periods],
                "ends": [period.end if period else None for period in periods],
                "due": [not one.reading.counts(one.log_end) for one in work],
                "found": [one.period_found_at for one in work],
            },
        )


def _end_reservations(reservations: Sequence[str], now: datetime) -> None:
    unsettled = Hold.objects.filter(reservation=OuterRef("pk"), is_settled=False)
    Reservation.objects.filter(~Exists(unsettled), pk__in=reservations, state=ReservationState.COMMITTED).update(
        state=ReservationState.SETTLED, ended_at=now
    )
