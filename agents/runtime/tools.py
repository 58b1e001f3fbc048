"""Tools: plain Python functions with typed arguments, described to the model by their annotations.

An argument is a `str`, an `int`, a `bool` or a `Literal` of texts; `Annotated[str, MaxLength(60)]`
bounds a text and `Annotated[int, Between(1, 5)]` a number. The first line of the docstring says what
the tool does. A tool returns what it found out, as text, or a `Finish` that ends the task.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from agents.runtime.errors import ToolInvalid

Outcome = Literal["succeeded", "failed", "escalated", "cancelled"]


@dataclass(frozen=True, slots=True)
class Finish:
    """What a tool returns to end the task. `source` is who says so: the `agent`, or a `check` of its work."""

    outcome: Outcome
    source: Literal["agent", "check"] = "agent"


@dataclass(frozen=True, slots=True)
class MaxLength:
    """Bounds a text argument, in characters."""

    characters: int


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds a number argument, both ends included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may choose. `arguments` is a JSON schema per argument; all are required."""

    name: str
    description: str
    arguments: Mapping[str, Mapping[str, Any]]
    run: Callable[..., str | Finish]


def tool(function: Callable[..., str | Finish], **given: Any) -> Tool:
    """`function` as a tool; raises `ToolInvalid` for arguments that cannot be described.

    `given` are arguments that the model is not told of: it is called with them.
    """
    name: str = getattr(function, "__name__", "")
    hints = get_type_hints(function, include_extras=True)
    for known in ("return", *given):
        hints.pop(known, None)
    if set(hints) != set(inspect.signature(function).parameters) - set(given):
        raise ToolInvalid(f"every argument of the tool {name} needs a type")
    if "tool" in hints:
        raise ToolInvalid(f"no argument of the tool {name} may be called 'tool': that names the choice")
    run = functools.partial(function, **given) if given else function
    description = (inspect.getdoc(function) or name).splitlines()[0]
    return Tool(name, description, {key: _schema(name, key, kind) for key, kind in hints.items()}, run)


def decision_schema(tools: Sequence[Tool]) -> dict[str, Any]:
    """What the model's answer must be: the name of one tool and that tool's arguments, in one flat object."""
    return {"anyOf": [_call_schema(one) for one in tools]} if len(tools) > 1 else _call_schema(tools[0])


def _call_schema(one: Tool) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": one.name}, **one.arguments},
        "required": ["tool", *one.arguments],
        "additionalProperties": False,
    }


def _schema(function: str, argument: str, kind: Any) -> dict[str, Any]:
    bounds: tuple[Any, ...] = ()
    if get_origin(kind) is Annotated:
        kind, *rest = get_args(kind)
        bounds = tuple(rest)
    if get_origin(kind) is Literal:
        choices = list(get_args(kind))
        if all(isinstance(choice, str) for choice in choices):
            return {"enum": choices}
    schema: dict[str, Any] | None = {str: {"type": "string"}, int: {"type": "integer"}, bool: {"type": "boolean"}}.get(
        kind or NoneType
    )
    if schema is None:
        raise ToolInvalid(f"the argument {argument} of the tool {function} is of a type no model can be told: {kind}")
    for bound in bounds:
        if isinstance(bound, MaxLength):
            schema = {**schema, "maxLength": bound.characters}
        if isinstance(bound, Between):
            schema = {**schema, "minimum": bound.low, "maximum": bound.high}
    return dict(schema)
