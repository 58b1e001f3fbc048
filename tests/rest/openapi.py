"""The API's own description, for sweeps over every operation that it lists."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from tests.api import Api

METHODS = ("get", "post", "put", "patch", "delete")


@functools.cache
def document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations() -> Iterator[tuple[str, str]]:
    for path, methods in document()["paths"].items():
        if path.startswith("/api/v1/") and not path.startswith("/api/v1/schema"):
            yield from ((method, path) for method in METHODS if method in methods)


def operation(method: str, path: str) -> dict[str, Any]:
    return document()["paths"][path][method]


def call(api: Api, method: str, path: str, query: str = "", body: Any = None) -> Any:
    values = {"action": "refresh" if path.startswith("/api/v1/invoices") else "pause", "version": "1"}
    address = re.sub(r"{(\w+)}", lambda found: values.get(found[1], "none"), path) + query
    data = "" if body is None else json.dumps(body)
    return api.client.generic(method.upper(), address, data, content_type="application/json")


def body_schema(method: str, path: str) -> dict[str, Any] | None:
    content = operation(method, path).get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("schema")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in schema:
            schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            return schema
