"""Functions as tasks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from taximeter.meter import Meter
    from taximeter.task import Task

#: A function keeps its type.
Function = TypeVar("Function", bound=Callable[..., Any])


def traced_task(
    meter: Meter,
    goal: str,
    *,
    agent: str,
    customer: str | Callable[..., str],
    task_id: str | Callable[..., str] | None,
    outcome: str | Callable[[Any], str | None] | None,
    fields: Mapping[str, Any],
) -> Callable[[Function], Function]:
    """The decorator that `Meter.traced_task` describes."""

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        return meter.task(
            goal,
            agent=agent,
            customer=customer(*args, **kwargs) if callable(customer) else customer,
            task_id=task_id(*args, **kwargs) if callable(task_id) else task_id,
            **fields,
        )

    def conclude(task: Task, returned: object) -> None:
        said = outcome(returned) if callable(outcome) else outcome
        if said is not None and task.outcome is None and not task.closed and task.ends:
            task.end(said)

    def decorate(function: Function) -> Function:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def traced_async(*args: Any, **kwargs: Any) -> Any:
                async with begin(args, kwargs) as task:
                    returned = await function(*args, **kwargs)
                    conclude(task, returned)
                    return returned

            return cast(Function, traced_async)

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as task:
                returned = function(*args, **kwargs)
                conclude(task, returned)
                return returned

        return cast(Function, traced)

    return decorate
