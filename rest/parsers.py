"""Request bodies in JSON, read exactly: a number with a point becomes a Decimal, never a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from rest_framework.parsers import BaseParser

from kernel.errors import MalformedError, TooLargeError

_decoder = msgspec.json.Decoder(float_hook=Decimal)

#: Bodies of ordinary requests; the events door has its own limit.
MAX_BODY_BYTES = 2 * 1024 * 1024


def decode_json(body: bytes) -> Any:
    """The value of a JSON document; raises `MalformedError` (code `malformed_json`) with the reason."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise MalformedError(f"The body is not valid JSON: {error}", code="malformed_json") from None


class JsonParser(BaseParser):
    """`application/json` request bodies; an empty body is an empty object."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"The body is larger than {MAX_BODY_BYTES} bytes")
        value = decode_json(body) if body.strip() else {}
        if not isinstance(value, dict):
            raise MalformedError("The body must be a JSON object", code="malformed_json")
        return value
