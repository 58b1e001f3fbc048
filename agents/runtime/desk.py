"""The desk of an agent of the catalogue: what it was given, and what it has done about it so far."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from agents.runtime.model import Message
from agents.runtime.tools import Finish, Tool, tool

_LONGEST_RESULT = 4_000


class TranscriptDesk:
    """Every turn the agent sees the task's input and each step before, and may use the same tools."""

    def __init__(self, *, input: Any, tools: Sequence[Tool], endings: Sequence[Callable[[], Finish]]) -> None:
        self._messages: list[Message] = [{"role": "user", "content": input if isinstance(input, str) else _json(input)}]
        self._tools = [self._kept(one) for one in (*tools, *(tool(ending) for ending in endings))]

    def messages(self) -> list[Message]:
        return list(self._messages)

    def tools(self) -> list[Tool]:
        return self._tools

    def _kept(self, one: Tool) -> Tool:
        """The tool, whose use becomes part of what the agent sees."""

        def run(**arguments: Any) -> str | Finish:
            result: str | Finish = "failed"
            try:
                result = one.run(**arguments)
                return result
            finally:
                said = str(result)[:_LONGEST_RESULT]
                self._messages += [
                    {"role": "assistant", "content": _json({"tool": one.name, **arguments})},
                    {"role": "user", "content": f"{one.name}: {said}"},
                ]

        return Tool(one.name, one.description, one.arguments, run)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
