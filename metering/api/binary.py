"""CloudEvents in binary mode: attributes in headers, the data alone in the body.

By the HTTP protocol binding of CloudEvents 1.0.2, section 3.1; values of headers are percent-encoded (3.1.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from rest_framework.exceptions import UnsupportedMediaType

from kernel.errors import MalformedError

_PREFIX = "ce-"
_NAME = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
_JSON = re.compile(r"application/(json|[\w.+-]+\+json)", re.ASCII)


def structured(headers: Mapping[str, str], content_type: str, body: bytes) -> bytes:
    """Return the same event in structured mode, as JSON.

    Raises `MalformedError` for attributes or data that cannot be read, and 415 for data that is no JSON.
    """
    attributes: dict[str, Any] = {}
    for header, value in headers.items():
        name = header.lower()
        if name.startswith(_PREFIX):
            attributes[_named(name.removeprefix(_PREFIX))] = _decoded(name, value)
    if body:
        if content_type and not _JSON.fullmatch(content_type):
            raise UnsupportedMediaType(content_type)
        try:
            # Only checked, so that numbers stay as they were written.
            attributes["data"] = msgspec.json.decode(body, type=msgspec.Raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise MalformedError("The body, the event's data, is not valid JSON", code="malformed_json") from None
    return msgspec.json.encode(attributes)


def _named(name: str) -> str:
    if not _NAME.fullmatch(name) or name == "data":
        raise MalformedError(
            f"ce-{name[:60]} is not a CloudEvents attribute: names have letters a to z and digits",
            code="attribute_invalid",
        )
    return name


def _decoded(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise MalformedError(f"{name} is not percent-encoded UTF-8", code="attribute_invalid") from None
