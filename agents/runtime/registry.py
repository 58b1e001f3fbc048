"""The tools and checks that agents of the catalogue may name: functions of the modules in `TAXIMETER_AGENT_MODULES`.

    from agents.runtime.registry import TaskContext, check, offer

    @offer
    def refund(amount: Annotated[int, Between(1, 500)], task: TaskContext) -> str:
        '''Give the customer money back.'''

    @check
    def is_refunded(task: TaskContext) -> bool: ...

An argument `task` is given by the runtime; the model is told of the others.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings

from agents.runtime.errors import ToolInvalid
from agents.runtime.tools import Finish, Tool, tool

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a tool or check may know of the task: whose it is, and what it was given."""

    task_id: str
    customer: str
    input: Any


_tools: dict[str, Callable[..., str | Finish]] = {}
_checks: dict[str, Callable[[TaskContext], bool]] = {}
_NOBODY = TaskContext("", "", None)


def offer(function: F) -> F:
    """Let agents use `function` as a tool by its name; raises `ToolInvalid` for one that cannot be described."""
    described = _described(function, _NOBODY)
    if _tools.setdefault(described.name, function) is not function:
        raise ToolInvalid(f"there are two tools called {described.name}")
    return function


def check(function: F) -> F:
    """Let agents be judged by `function`: whether the work of a task that its agent calls done is done."""
    if _checks.setdefault(function.__name__, function) is not function:
        raise ToolInvalid(f"there are two checks called {function.__name__}")
    return function


def tool_names() -> set[str]:
    _load()
    return set(_tools)


def check_names() -> set[str]:
    _load()
    return set(_checks)


def tool_named(name: str, context: TaskContext) -> Tool:
    """The tool for one task; raises `ToolInvalid` where the worker does not have it."""
    _load()
    if name not in _tools:
        raise ToolInvalid(f"there is no tool {name}: is its module in TAXIMETER_AGENT_MODULES of the workers?")
    return _described(_tools[name], context)


def check_named(name: str, context: TaskContext) -> Callable[[], bool]:
    """The check for one task; raises as `tool_named`."""
    _load()
    if name not in _checks:
        raise ToolInvalid(f"there is no check {name}: is its module in TAXIMETER_AGENT_MODULES of the workers?")
    return lambda: bool(_checks[name](context))


def done() -> Finish:
    """The goal is reached."""
    return Finish("succeeded")


def give_up() -> Finish:
    """The goal cannot be reached."""
    return Finish("failed")


def ask_person() -> Finish:
    """Leave it to a person."""
    return Finish("escalated")


#: What every agent of the catalogue may do besides using its tools.
ENDINGS = (done, give_up, ask_person)


def _described(function: Callable[..., Any], context: TaskContext) -> Tool:
    given = {"task": context} if "task" in inspect.signature(function).parameters else {}
    return tool(function, **given)


def _load() -> None:
    for module in settings.AGENT_MODULES:
        importlib.import_module(module)
