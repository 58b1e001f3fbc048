"""Thresholds that were reached: recorded once per period, and told of in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.facade import Role
from budgets.domain.thresholds import Threshold, reached, read_thresholds
from budgets.models import Budget, Crossing
from budgets.queries.periods import time_for
from budgets.queries.used import Reading
from kernel.money import EXACT
from notifications.facade import Announcement, QueuedMail, announce, queue_mails

#: Who is told where a threshold names nobody.
_MONEY_ROLES = (Role.OWNER, Role.ADMIN, Role.FINANCE)


def record_crossings(read: Sequence[tuple[Budget, Reading]], *, now: datetime) -> None:
    """Record the thresholds that have been reached and were not before, and announce them. `now` is the machine's; the
    budget of a customer on a test clock crosses at that clock's time."""
    rows, thresholds = [], {}
    for budget, reading in read:
        if reading.period is None:
            continue
        for one in reached(read_thresholds(budget.thresholds), amount=budget.amount, used=reading.used):
            row = Crossing(
                budget=budget,
                period_start=reading.period.start,
                period_end=reading.period.end,
                percent=one.percent,
                amount=budget.amount,
                used=reading.used,
                actions=list(one.actions),
                crossed_at=time_for(budget.customer, now),
            )
            rows.append(row)
            thresholds[_key(row)] = one
    if not rows:
        return
    before = _recorded(rows)
    fresh = [row for row in rows if _key(row) not in before]
    if not fresh:
        return
    # The constraint has the last word: whoever comes second fails, and finds it recorded when it tries again.
    Crossing.objects.bulk_create(fresh)
    announce([_announcement(row) for row in fresh if "webhook" in row.actions])
    queue_mails([_mail(row, thresholds[_key(row)], now) for row in fresh if "mail" in row.actions])


def present_crossing(one: Crossing) -> dict[str, Any]:
    """A crossing as the API and its announcement show it."""
    budget = one.budget
    return {
        "budget": budget.pk,
        "key": budget.key,
        "name": budget.name,
        "scope": budget.scope,
        "customer": budget.customer.key if budget.customer is not None else None,
        "agent": budget.agent or None,
        "percent": one.percent,
        "amount": one.amount,
        "used": one.used,
        "currency": budget.currency or None,
        "meter": budget.meter.key if budget.meter is not None else None,
        "period_start": one.period_start,
        "period_end": one.period_end,
        "actions": one.actions,
        "crossed_at": one.crossed_at,
    }


_Key = tuple[str, datetime, Decimal, Decimal]


def _key(row: Crossing) -> _Key:
    return row.budget_id, row.period_start, row.percent.normalize(EXACT), row.amount.normalize(EXACT)


def _recorded(rows: Sequence[Crossing]) -> set[_Key]:
    known = Crossing.objects.filter(
        budget__in={row.budget_id for row in rows}, period_start__in={row.period_start for row in rows}
    )
    return {_key(row) for row in known}


def _announcement(row: Crossing) -> Announcement:
    return Announcement(
        organization_id=row.budget.organization_id,
        type="budget.threshold_reached",
        subject=row.budget_id,
        data=present_crossing(row),
        at=row.crossed_at,
    )


def _mail(row: Crossing, threshold: Threshold, now: datetime) -> QueuedMail:
    budget = row.budget
    unit = budget.currency or (budget.meter.unit or budget.meter.name if budget.meter is not None else "")
    return QueuedMail(
        organization_id=budget.organization_id,
        kind="budget_reached",
        to=threshold.recipients or _people_of(budget),
        context={**present_crossing(row), "organization": budget.organization.name, "unit": unit,
                 "is_stopped": "stop" in row.actions},
        key=f"{budget.pk}:{row.period_start:%Y%m%dT%H%M%SZ}:{row.percent:f}:{row.amount:f}",
        at=now,
    )  # fmt: skip


def _people_of(budget: Budget) -> tuple[str, ...]:
    members = budget.organization.memberships.filter(role__in=_MONEY_ROLES)
    return tuple(members.order_by("user__email").values_list("user__email", flat=True))
