"""Costs for budgets, which stand to the right and so cannot ask for them by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agents.models import TaskProjection
from agents.queries.costs import CostQuestion, costs
from budgets.facade import CostAnswer
from kernel.period import Period

_HOUR = timedelta(hours=1)


def costs_for_budgets(*, organization_id: int, period: Period, by: str | None, currency: str) -> CostAnswer:
    """As `budgets.facade.register_cost_reader` asks for it: by `customer`, by `agent` or all together. Calls without a
    price, and costs in other currencies, are not in it."""
    found = TaskProjection.objects.filter(organization_id=organization_id).values_list("xid", flat=True).first()
    start, end = _hour(period.start), _hour(period.end)
    question = CostQuestion(
        organization_id=organization_id,
        start=start,
        end=end if end == period.end else end + _HOUR,
        group_by=(by,) if by else (),
    )
    amounts: dict[str | None, Decimal] = {}
    for row in costs(question):
        amounts[row.group[by] if by else None] = row.costs.amounts.get(currency, Decimal(0))
    return CostAnswer(amounts, complete_before=found or 0)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
