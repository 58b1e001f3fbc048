"""What the runtime needs to know of an agent's version to work its tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel.errors import FieldError, InvalidError
from kernel.money import decimal_from

_TEXTS = {"goal": 200, "instructions": 8_000, "provider": 64, "model": 200, "check": 100}
#: A whole number: the least, the most, and what it is where nothing is said.
_NUMBERS = {
    "max_turns": (1, 100, 6),
    "max_tokens": (1, 32_000, 128),
    "max_seconds": (1, 86_400, 600),
    "max_attempts": (1, 10, 3),
}


class DefinitionInvalid(InvalidError):
    """The definition of an agent's version makes no sense; `errors` point into it."""

    code = "definition_invalid"


@dataclass(frozen=True, slots=True)
class Definition:
    """An agent: what it is told, what it may use, and its limits for one task.

    `max_seconds` is looked at before each turn, `max_cost` (US dollars) too: a turn under way is finished.
    Without a `model` the provider's first one is asked. `check` names the function that judges its success.
    """

    goal: str
    instructions: str = ""
    provider: str = "taximeter"
    model: str | None = None
    tools: tuple[str, ...] = ()
    check: str | None = None
    max_turns: int = 6
    max_tokens: int = 128
    max_seconds: int = 600
    max_attempts: int = 3
    max_cost: Decimal | None = None


def parse_definition(value: object, *, tools: Collection[str], checks: Collection[str]) -> Definition:
    """The definition in a version's JSON; `tools` and `checks` are the names that are known. `DefinitionInvalid`."""
    if not isinstance(value, Mapping):
        raise DefinitionInvalid("A definition is an object")
    problems: list[FieldError] = []

    def refuse(name: str, code: str, detail: str) -> None:
        problems.append(FieldError(f"/definition/{name}", code, detail))

    known = {*_TEXTS, *_NUMBERS, "tools", "max_cost"}
    for name in sorted(set(map(str, value)) - known):
        refuse(name, "unknown_field", "There is no such field")
    found: dict[str, Any] = {name: _text(value, name, refuse) for name in _TEXTS if value.get(name) is not None}
    found |= {name: _number(value, name, refuse) for name in _NUMBERS}
    found["tools"] = _tools(value, tools, refuse)
    if value.get("max_cost") is not None:
        found["max_cost"] = _amount(value, refuse)
    if not found.get("goal"):
        refuse("goal", "required", "Say what the agent's tasks are called")
    if found.get("check") and found["check"] not in checks:
        refuse(
            "check",
            "unknown",
            f"There is no check {found['check']!r}; there are: {', '.join(sorted(checks)) or 'none'}",
        )
    if problems:
        raise DefinitionInvalid("This definition cannot be used", errors=problems)
    return Definition(**found)


_Refuse = Callable[[str, str, str], None]


def _text(value: Mapping[str, Any], name: str, refuse: _Refuse) -> str:
    text = value[name]
    if not isinstance(text, str) or len(text) > _TEXTS[name] or "\x00" in text:
        refuse(name, "invalid", f"A text of at most {_TEXTS[name]:,} characters")
        return ""
    return text


def _number(value: Mapping[str, Any], name: str, refuse: _Refuse) -> int:
    low, high, default = _NUMBERS[name]
    number = value.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        refuse(name, "invalid", f"A whole number from {low} to {high:,}")
        return default
    return number


def _tools(value: Mapping[str, Any], known: Collection[str], refuse: _Refuse) -> tuple[str, ...]:
    names = value.get("tools", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        refuse("tools", "invalid", "A list of names of tools")
        return ()
    for name in names:
        if name not in known:
            refuse("tools", "unknown", f"There is no tool {name!r}; there are: {', '.join(sorted(known)) or 'none'}")
    return tuple(names)


def _amount(value: Mapping[str, Any], refuse: _Refuse) -> Decimal | None:
    try:
        # A JSON number with a point is read as a Decimal: amounts are text, as at every endpoint.
        amount = Decimal(-1) if isinstance(value["max_cost"], Decimal) else decimal_from(value["max_cost"])
    except (TypeError, ValueError):
        amount = Decimal(-1)
    if amount <= 0 or amount > 10**6:
        refuse("max_cost", "invalid", 'An amount in US dollars as text, such as "0.05"')
        return None
    return amount
