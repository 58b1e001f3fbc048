"""Answers in JSON. Decimals are written as strings and instants as RFC 3339 in UTC."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from rest_framework.renderers import BaseRenderer

from kernel.clock import to_rfc3339


def plain_decimal(value: Decimal) -> str:
    """`value` without exponent and without zeros that say nothing: 1E+2 is "100", 0.500 is "0.5"."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _ready(value: Any) -> Any:
    """`value` with instants and decimals turned into the API's text, containers included."""
    if isinstance(value, dict):
        return {key: _ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_ready(item) for item in value]
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def encode_json(value: Any) -> bytes:
    """`value` (dicts, lists, text, numbers, decimals, dates, instants) as JSON bytes."""
    return msgspec.json.encode(_ready(value))


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None and renderer_context and renderer_context["response"].status_code == 204:
            return b""
        return encode_json(data)
