"""Every answer of the API that a test sees is held to the OpenAPI document: its status, media type and body.

`tests.conftest` puts it before Django's test client, so that a new endpoint is covered by the tests it has anyway.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any, NamedTuple

from django.http.response import HttpResponseBase
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

#: So many entries of a list are looked at: lists of a thousand are alike.
_MOST_ENTRIES = 5


class Operation(NamedTuple):
    """One method of one path, by the document."""

    id: str
    responses: dict[str, Any]


class Document:
    """The OpenAPI document, prepared for looking up and for checking."""

    def __init__(self) -> None:
        self.schema = SchemaGenerator().get_schema(request=None, public=True)
        self._components = _as_json_schema({"components": self.schema["components"]})
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + r"\Z"), operations)
            for path, operations in sorted(self.schema["paths"].items(), key=lambda item: item[0].count("{"))
        ]

    def find(self, method: str, path: str) -> Operation | None:
        """The operation of a request, None where the document has none."""
        for pattern, operations in self._paths:
            if pattern.match(path) and method.lower() in operations:
                operation = operations[method.lower()]
                return Operation(operation["operationId"], operation["responses"])
        return None

    def faults(self, method: str, path: str, response: HttpResponseBase) -> str | None:
        """What of an answer the document does not say, None where it says all of it."""
        operation = self.find(method, path)
        if operation is None:
            return None
        described = operation.responses.get(str(response.status_code))
        if described is None:
            return f"{operation.id}: status {response.status_code} is not described"
        content = described.get("content", {})
        if response.status_code == 204:
            return None if not content and not response.content else f"{operation.id}: a body with 204"
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        found = content.get(media_type) or content.get(f"{media_type.partition('/')[0]}/*")
        if found is None:
            return f"{operation.id}: {response.status_code} as {media_type!r} is not described"
        if response.streaming or not media_type.endswith("json"):
            return None
        validator = self._validator(operation.id, str(response.status_code), media_type)
        error = next(validator.iter_errors(_shortened(json.loads(response.content))), None)
        if error is None:
            return None
        where = "/".join(map(str, error.absolute_path))
        return f"{operation.id}: {response.status_code} at {where!r}: {error.message[:200]}"

    @functools.cache  # noqa: B019 - there is one document
    def _validator(self, operation_id: str, status: str, media_type: str) -> Draft202012Validator:
        for operations in self.schema["paths"].values():
            for operation in operations.values():
                if operation["operationId"] == operation_id:
                    content = operation["responses"][status]["content"]
                    schema = (content.get(media_type) or next(iter(content.values())))["schema"]
                    return Draft202012Validator(self._components | _as_json_schema(schema))
        raise LookupError(operation_id)


@functools.cache
def document() -> Document:
    """The document of this code, made once."""
    return Document()


def _as_json_schema(schema: Any) -> Any:
    """OpenAPI 3.0's schema as JSON Schema, which has no `nullable`."""
    if isinstance(schema, list):
        return [_as_json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _as_json_schema(value) for name, value in schema.items() if name != "nullable"}
    if schema.get("nullable") is True:
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


def _shortened(body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        return body | {"data": body["data"][:_MOST_ENTRIES]}
    return body
