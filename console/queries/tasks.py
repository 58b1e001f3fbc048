"""What is shown of a task beside its tree: what it cost, what it is charged, and the difference."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.facade import Charge, TaskView
from kernel.money import EXACT


@dataclass(frozen=True, slots=True)
class TaskRow:
    """`margin` is None where charge or cost is not known whole, or they are in two currencies."""

    task: TaskView
    charge: Charge | None
    margin: Decimal | None

    @property
    def totals(self) -> Any:
        return self.task.totals

    @property
    def duration_ms(self) -> int | None:
        ended = self.totals.ended_at
        return None if ended is None else round((ended - self.totals.started_at).total_seconds() * 1000)


def task_row(task: TaskView, charge: Charge | None) -> TaskRow:
    costs, margin = task.costs, None
    if charge is not None and not costs.unpriced_calls and set(costs.amounts) <= {charge.currency}:
        margin = EXACT.subtract(charge.amount, costs.amounts.get(charge.currency, Decimal(0)))
    return TaskRow(task, charge, margin)
