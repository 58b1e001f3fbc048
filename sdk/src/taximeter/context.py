"""Which task and turn the running code belongs to: kept in context variables, so that asyncio tasks inherit it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from taximeter.task import Task
    from taximeter.turn import Turn

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

task_variable: ContextVar[Task | None] = ContextVar("taximeter_task", default=None)
turn_variable: ContextVar[Turn | None] = ContextVar("taximeter_turn", default=None)


def current_task() -> Task | None:
    """The task whose block the caller is in, or None."""
    return task_variable.get()


def current_turn() -> Turn | None:
    """The turn whose block the caller is in, or None."""
    return turn_variable.get()


def carry(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function`, to be called in another thread and still belong to the task and turn of here and now.

        executor.submit(carry(search), query)

    The whole context is carried, as asyncio does for its tasks. It may be called many times, side by side.
    """
    context = copy_context()

    @functools.wraps(function)
    def in_context(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return context.copy().run(function, *args, **kwargs)

    return in_context
