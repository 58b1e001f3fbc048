"""How far the evaluation of budgets is behind what they count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Q

from budgets.models import EvaluationMark
from budgets.queries.due import active_totals, end_of, written
from metering.facade import log_positions, waiting_since


@dataclass(frozen=True, slots=True)
class EvaluationBacklog:
    """`since`: when what is not evaluated yet came first; None where all is. `is_empty`: nothing is to be evaluated."""

    is_empty: bool
    since: datetime | None


def evaluation_backlog(*, organization_id: int, now: datetime) -> EvaluationBacklog:
    """What waits first: an event of the log, the end of a period, or a budget that was made. In four queries."""
    totals = active_totals().filter(organization=organization_id).order_by()
    if not totals.exists():
        return EvaluationBacklog(is_empty=True, since=None)
    by_the_machine = Q(customer__test_clock=None, budget__customer__test_clock=None)
    times = totals.aggregate(
        over=Min("period_end", filter=Q(period_end__lte=now) & by_the_machine),
        made=Min("budget__created_at", filter=Q(evaluated_at=None)),
    )
    found = [one for one in (*times.values(), _event_waits_since(organization_id)) if one is not None]
    return EvaluationBacklog(is_empty=False, since=min(found, default=None))


def _event_waits_since(organization_id: int) -> datetime | None:
    """When the first event came that was not there at the last evaluation; None before the first evaluation, too."""
    mark = EvaluationMark.objects.filter(organization=organization_id).first()
    if mark is None or mark.position == written(log_positions([organization_id])[organization_id]):
        return None
    seen = tuple(int(one) for one in mark.position.split(","))
    return waiting_since(organization_id=organization_id, first_xid=end_of(seen))
