"""The client against the API's own description: every place it asks, every parameter, every field it reads."""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from taximeter.client.decoding import json_name
from taximeter.client.endpoints import Endpoint, ListEndpoint, all_actions, all_endpoints

ENDPOINTS, ACTIONS = all_endpoints(), all_actions()
PLAIN = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Decimal: {"type": "string", "format": "decimal"},
    datetime: {"type": "string", "format": "date-time"},
}


@cache
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """`node` with its reference followed; `allOf` of one is how a described or nullable reference is written."""
    if "allOf" in node:
        [node] = node["allOf"]
    if "$ref" in node:
        return schema()["components"]["schemas"][node["$ref"].rpartition("/")[2]]
    return node


def differences(kind: Any, node: dict[str, Any], where: str) -> list[str]:
    """Where what the client reads is not what the API says it answers."""
    found = resolved(node)
    if kind is Any:
        return []
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        [inner] = [one for one in typing.get_args(kind) if one is not type(None)]
        return differences(inner, {**found, "nullable": False}, where)
    wrong = [f"{where}: may be null"] if node.get("nullable") else []
    if dataclasses.is_dataclass(kind):
        return wrong + _fields(kind, found, where)
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return wrong + (
            differences(item, found["items"], f"{where}[]") if found.get("type") == "array" else ["no list"]
        )
    if typing.get_origin(kind) is dict:
        return wrong + ([] if found.get("type") == "object" else [f"{where}: {found} is no object"])
    said = {name: found.get(name) for name in ("type", "format") if found.get(name)}
    return wrong + ([] if said == PLAIN[kind] else [f"{where}: {said}, read as {kind.__name__}"])


def _fields(kind: type[Any], found: dict[str, Any], where: str) -> list[str]:
    wrong = []
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, place = json_name(field), f"{where}.{json_name(field)}"
        is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if name not in found.get("properties", {}):
            wrong += [f"{place}: not in the schema"] if is_needed else []
            continue
        if is_needed and name not in found.get("required", []):
            wrong.append(f"{place}: may be missing")
        wrong += differences(hints[field.name], found["properties"][name], place)
    return wrong


def answer_of(endpoint: Endpoint[Any]) -> dict[str, Any]:
    operation = schema()["paths"][endpoint.path]["get"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return resolved(resolved(answer)["properties"]["data"]["items"]) if isinstance(endpoint, ListEndpoint) else answer


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_client_asks_what_is_there_and_reads_what_it_says(name):
    endpoint = ENDPOINTS[name]
    operation = schema()["paths"][endpoint.path]["get"]
    paging = {"limit", "cursor"} if isinstance(endpoint, ListEndpoint) else set()
    asked = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    assert set(endpoint.filters) | paging <= asked
    assert differences(endpoint.answer, answer_of(endpoint), endpoint.answer.__name__) == []


@pytest.mark.parametrize("name", ACTIONS)
def test_the_client_sends_what_is_taken_and_reads_what_it_says(name):
    action = ACTIONS[name]
    operation = schema()["paths"][action.path]["post"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    taken = resolved(body) if body else {}
    assert set(action.fields) == set(taken.get("properties", {}))
    assert set(taken.get("required", [])) <= set(action.fields)
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert differences(action.answer, answer, action.answer.__name__) == []


def test_an_optional_field_of_the_client_is_answered_somewhere():
    """A default is for what only some endpoints answer, not for what none does."""
    answered: dict[type[Any], set[str]] = {}
    for endpoint in ENDPOINTS.values():
        answered.setdefault(endpoint.answer, set()).update(resolved(answer_of(endpoint))["properties"])
    for kind, names in answered.items():
        assert {json_name(field) for field in dataclasses.fields(kind)} <= names, kind.__name__
