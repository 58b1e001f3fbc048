"""Reading the body of the events door: its type, its compression, its size."""

from __future__ import annotations

import zlib
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from kernel.errors import MalformedError, TooLargeError
from metering.decoding import MAX_BYTES

#: What the events door takes: a batch and a single event are told apart by the body itself.
MEDIA_TYPES = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")


class CloudEventsParser(BaseParser):
    """Hands the view the decompressed bytes as they are; decoding is metering's own."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> bytes:
        return read_body(stream, parser_context["request"].headers.get("Content-Encoding", ""))


def read_events(request: HttpRequest) -> bytes:
    """The body of a request to the events door; raises as `read_body`, and 415 for a media type that is none of its."""
    body = read_body(request, request.headers.get("Content-Encoding", ""))
    # The request stays until a full garbage collection, for the messages that Django hangs on it point back to it;
    # the server's own copy of the body must not stay with it.
    request.META.pop("wsgi.input", None)
    request._stream = None  # type: ignore[attr-defined]
    if body and request.content_type not in MEDIA_TYPES:
        raise UnsupportedMediaType(request.content_type)
    return body


def read_body(stream: Any, encoding: str) -> bytes:
    """The body's bytes, decompressed; never more than `MAX_BYTES` are held.

    Raises `TooLargeError`, `MalformedError` for broken gzip, 415 for another encoding.
    """
    body: bytes = stream.read(MAX_BYTES + 1)
    if encoding.lower() == "gzip":
        body = _decompress(body)
    elif encoding.lower() not in {"", "identity"}:
        raise UnsupportedMediaType(encoding, detail=f"Content-Encoding {encoding!r} is not taken; gzip is")
    if len(body) > MAX_BYTES:
        raise TooLargeError(f"A request takes at most {MAX_BYTES:,} bytes, decompressed")
    return body


def _decompress(body: bytes) -> bytes:
    """All members of a gzip stream (RFC 1952), stopping one byte past the limit."""
    parts: list[bytes] = []
    room = MAX_BYTES + 1
    try:
        while body and room > 0:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(body, room))
            room -= len(parts[-1])
            if not member.eof and room > 0:
                raise MalformedError("The gzip body ends too early", code="malformed_gzip")
            body = member.unused_data
    except zlib.error as error:
        raise MalformedError(f"The body is not valid gzip: {error}", code="malformed_gzip") from None
    return b"".join(parts)
