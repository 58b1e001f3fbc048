"""Tools and a check that the agents of tests may use, as a vendor's module would have them."""

from __future__ import annotations

from typing import Annotated, Any

from agents.runtime.registry import TaskContext, check, offer
from agents.runtime.tools import Between

#: What the tools were used for, in order.
USED: list[tuple[Any, ...]] = []


@offer
def refund(amount: Annotated[int, Between(1, 500)], task: TaskContext) -> str:
    """Give the customer money back."""
    USED.append((task.customer, amount))
    return f"{amount} given back"


@check
def is_refunded(task: TaskContext) -> bool:
    return bool(USED) and USED[-1][0] == task.customer
