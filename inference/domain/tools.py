"""Tools of a chat: what the model is told of them, what it may answer, and its call read as it is written.

One way for all models, whatever their chat template knows of tools: the tools are described in the system
message, and a grammar lets the model write nothing but text or a call that fits a tool's parameters:
`{"name":"…","arguments":{…}}`. An answer has one call at most.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.domain import grammar
from inference.domain.requests import RequestError

MAX_TOOLS = 128
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_MAY_CALL = (
    "You can use tools. To use one, answer with nothing but JSON of the form "
    '{"name": …, "arguments": …}. Otherwise answer in plain text.'
)
_MUST_CALL = 'Use a tool: answer with nothing but JSON of the form {"name": …, "arguments": …}.'


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Toolset:
    """The tools that this answer may use; with `required` it must use one."""

    tools: tuple[Tool, ...]
    required: bool

    @property
    def instructions(self) -> str:
        """What the system message says of the tools."""
        described = [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in self.tools
        ]
        listing = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in described)
        return f"{_MUST_CALL if self.required else _MAY_CALL} The tools:\n{listing}"

    @property
    def grammar(self) -> str:
        schema = {
            "anyOf": [_call_schema(number, tool) for number, tool in enumerate(self.tools)],
            "$defs": {
                f"{number}_{name}": _moved(definition, number)
                for number, tool in enumerate(self.tools)
                for name, definition in _definitions(tool.parameters).items()
            },
        }
        return grammar.json_of(schema) if self.required else grammar.json_or_text(schema)


def toolset_of(body: Mapping[str, Any]) -> Toolset | None:
    """The tools of a request; None where it has none or `tool_choice` is `none`."""
    tools = _tools(body.get("tools"))
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return Toolset(tools, required=False) if tools and choice != "none" else None
    if not tools:
        raise RequestError("'tool_choice' needs 'tools'", param="tool_choice")
    if choice == "required":
        return Toolset(tools, required=True)
    function = choice.get("function") if isinstance(choice, Mapping) and choice.get("type") == "function" else None
    name = function.get("name") if isinstance(function, Mapping) else None
    named = tuple(tool for tool in tools if tool.name == name)
    if not named:
        raise RequestError(
            "'tool_choice' must be auto, none, required or name one of 'tools' as "
            '{"type": "function", "function": {"name": …}}',
            param="tool_choice",
        )
    return Toolset(named, required=True)


def _tools(tools: object) -> tuple[Tool, ...]:
    if tools is None:
        return ()
    if not isinstance(tools, list) or len(tools) > MAX_TOOLS:
        raise RequestError(f"'tools' must be a list of at most {MAX_TOOLS}", param="tools")
    checked = tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools))
    if len({tool.name for tool in checked}) < len(checked):
        raise RequestError("Two of 'tools' have the same name", param="tools")
    return checked


def _tool(tool: object, where: str) -> Tool:
    function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
    if not isinstance(function, Mapping):
        raise RequestError(f'{where} must be {{"type": "function", "function": {{…}}}}', param=where)
    name, description, parameters = function.get("name"), function.get("description"), function.get("parameters")
    if not isinstance(name, str) or not _NAME.match(name):
        raise RequestError(f"{where}.function.name must be 1 to 64 of a-z, A-Z, 0-9, _ and -", param=where)
    if description is not None and not isinstance(description, str):
        raise RequestError(f"{where}.function.description must be text", param=where)
    if parameters is not None and not isinstance(parameters, Mapping):
        raise RequestError(f"{where}.function.parameters must be a JSON schema", param=where)
    return Tool(name, description or "", parameters or {"type": "object", "properties": {}})


def _definitions(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = parameters.get("$defs")
    return found if isinstance(found, Mapping) else {}


def _call_schema(number: int, tool: Tool) -> dict[str, Any]:
    parameters = _moved({key: value for key, value in tool.parameters.items() if key != "$defs"}, number)
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": {"type": "object", **parameters}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(schema: Any, number: int) -> Any:
    """`schema` with its references into `$defs` as they are called where the schemas of all tools are one."""
    if isinstance(schema, Mapping):
        return {
            key: f"#/$defs/{number}_{value.removeprefix('#/$defs/')}"
            if key == "$ref" and isinstance(value, str) and value.startswith("#/$defs/")
            else _moved(value, number)
            for key, value in schema.items()
        }
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_moved(item, number) for item in schema]
    return schema


_HEAD = re.compile(r'\{"name":"([A-Za-z0-9_-]+)","arguments":')


class CallReader:
    """Reads `{"name":"…","arguments":{…}}` as it comes, in pieces of any size."""

    def __init__(self) -> None:
        self._text = ""
        self._given = 0
        self.name: str | None = None

    def take(self, piece: str) -> str:
        """What `piece` adds to the arguments. `name` is set from the first piece on that completes it."""
        self._text += piece
        if self.name is None:
            head = _HEAD.match(self._text)
            if head is None:
                return ""
            self.name, self._given = head[1], head.end()
        # The last character is kept back: it may be the brace that ends the call, which is not the arguments'.
        end = max(self._given, len(self._text) - 1)
        added, self._given = self._text[self._given : end], end
        return added

    def finish(self, *, cut: bool) -> str:
        """The rest of the arguments; where the answer was `cut` its last character is part of them."""
        rest = self._text[self._given :] if cut and self.name is not None else ""
        self._given = len(self._text)
        return rest
