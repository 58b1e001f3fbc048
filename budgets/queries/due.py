"""Which running totals are to be evaluated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from budgets.models import EvaluationMark, Hold, Measure, PeriodKind, ReservationState, RunningTotal, Scope
from metering.facade import known_events, log_positions

#: What follows from more than the log (prices, subscriptions, who is on a plan) is looked at anew after so long.
REFRESH = timedelta(seconds=60)


def active_totals() -> QuerySet[RunningTotal]:
    """All but those of removed budgets, with what reading them needs."""
    return (
        RunningTotal.objects.filter(Q(budget=None) | Q(budget__removed_at=None))
        .select_related(
            "budget__customer__test_clock", "budget__meter", "budget__organization",
            "customer__test_clock", "feature__meter",
        )
        .order_by("id")
    )  # fmt: skip


def due_by_time(now: datetime) -> Q:
    """Totals that were asked for, whose period is over, or that follow from more than the log and are old."""
    by_the_machine = Q(customer__test_clock=None, budget__customer__test_clock=None)
    over = (
        (by_the_machine & Q(period_end__lte=now))
        | Q(period_end__lte=F("customer__test_clock__now"))
        | Q(period_end__lte=F("budget__customer__test_clock__now"))
    )
    old = now - REFRESH
    follows = Q(period_kind=PeriodKind.BILLING_PERIOD, period_found_at__lt=old) | (
        (Q(budget__measure=Measure.SPEND) | Q(budget__scope=Scope.PLAN)) & Q(evaluated_at__lt=old)
    )
    return Q(is_due=True) | over | follows


def due_by_subjects(subjects: Collection[str]) -> Q:
    """Totals that usage of these customers changes."""
    shared = Q(budget__scope__in=[Scope.ORGANIZATION, Scope.AGENT, Scope.PLAN])
    return shared | Q(customer__key__in=subjects) | Q(budget__customer__key__in=subjects)


@dataclass(frozen=True, slots=True)
class ReadyHold:
    """A hold whose usage is in the log, as far as the present transaction sees; before the transaction `end`, where an
    earlier one found that out."""

    pk: int
    total_id: int
    reservation_id: str
    end: int | None


def ready_holds(organization_id: int) -> list[ReadyHold]:
    """Unsettled holds of reservations that have ended, those left out whose commit named events that have not come."""
    rows = list(
        _settling()
        .filter(total__organization=organization_id)
        .values_list("pk", "total_id", "reservation_id", "log_end", "reservation__state", "reservation__events")
    )
    waiting = {row[0]: [UUID(event) for event in row[5]] for row in rows if row[4] == ReservationState.COMMITTED}
    known = known_events({event for events in waiting.values() for event in events})
    return [ReadyHold(*row[:4]) for row in rows if all(event in known for event in waiting.get(row[0], ()))]


def _settling() -> QuerySet[Hold]:
    """What goes with an evaluation: its usage takes its place, where it was committed, and frees what has expired."""
    ended = Hold.objects.filter(
        is_settled=False, reservation__state__in=[ReservationState.COMMITTED, ReservationState.EXPIRED]
    )
    return ended.filter(Q(total__budget=None) | Q(total__budget__removed_at=None)).order_by()


def organizations_due(now: datetime) -> list[int]:
    """Organizations with totals whose log has moved since they were evaluated, or that are due without that."""
    organizations = list(active_totals().order_by().values_list("organization_id", flat=True).distinct())
    if not organizations:
        return []
    marks = dict(EvaluationMark.objects.values_list("organization_id", "position"))
    positions = log_positions(organizations)
    moved = {one for one in organizations if marks.get(one) != written(positions[one])}
    due = active_totals().order_by().filter(due_by_time(now)).values_list("organization_id", flat=True).distinct()
    settling = _settling().values_list("total__organization_id", flat=True).distinct()
    return sorted(moved | set(due) | set(settling))


def written(position: tuple[int, ...]) -> str:
    """A position of the log as a mark keeps it."""
    return ",".join(map(str, position))


def end_of(position: tuple[int, ...]) -> int:
    """The transaction before which all came that is in the log: the next after its last event and correction."""
    return max(position[:2]) + 1
