"""What is shown of a task beside its tree: what it cost, what it is charged, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.facade import Charge, TaskView
from console.formats import NOTHING, small_money
from console.queries.tiles import Tile
from kernel.money import EXACT


@dataclass(frozen=True, slots=True)
class TaskRow:
    """`margin` is None where charge or cost is not known whole, or they are in two currencies, or all that the task is
    charged for is charged by the period."""

    task: TaskView
    charge: Charge | None
    margin: Decimal | None

    @property
    def totals(self) -> Any:
        return self.task.totals

    @property
    def is_charged(self) -> bool:
        """Whether anything is charged by the unit: there is nothing to say where all is charged by the period."""
        return self.charge is not None and not (self.charge.left_out and not self.charge.lines)

    @property
    def duration_ms(self) -> int | None:
        ended = self.totals.ended_at
        return None if ended is None else round((ended - self.totals.started_at).total_seconds() * 1000)


def task_row(task: TaskView, charge: Charge | None) -> TaskRow:
    costs, margin = task.costs, None
    by_period = charge is not None and bool(charge.left_out) and not charge.lines
    if charge is not None and not by_period and not costs.unpriced_calls and set(costs.amounts) <= {charge.currency}:
        margin = EXACT.subtract(charge.amount, costs.amounts.get(charge.currency, Decimal(0)))
    return TaskRow(task, charge, margin)


def charge_tiles(tasks: Sequence[TaskRow]) -> list[Tile]:
    """What the tasks listed are charged by the unit and leave, on average, where all are in one currency."""
    charged = [one for one in tasks if one.is_charged]
    currencies = {one.charge.currency for one in charged if one.charge}
    if len(currencies) != 1:
        return [Tile("Charge per task", NOTHING, "no task listed is charged by the unit")]
    [currency] = currencies
    charge = sum((one.charge.amount for one in charged if one.charge), Decimal(0)) / len(charged)
    of = f"of the latest {len(charged):,} tasks, by the unit"
    margins = [one.margin for one in charged if one.margin is not None]
    margin = small_money(sum(margins, Decimal(0)) / len(margins), currency) if margins else NOTHING
    return [
        Tile("Charge per task", small_money(charge, currency), of),
        Tile("Margin per task", margin, of if margins else "a cost is not known"),
    ]
