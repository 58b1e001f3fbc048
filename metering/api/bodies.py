"""Reading the body of a door: its type, its compression, its size."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Mapping

from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType

from kernel.errors import MalformedError, TooLargeError
from metering.decoding import MAX_BYTES

#: What the events door takes: a batch and a single event are told apart by the body itself.
ONE_EVENT = "application/cloudevents+json"
MEDIA_TYPES = ("application/json", ONE_EVENT, "application/cloudevents-batch+json")

_STRUCTURED = "application/cloudevents"
_PIECE = 64 * 1024
_MOST_MEMBERS = 1_000

#: A preference of RFC 7240: a token, its value as a token or in quotes, and parameters that `handling` has none of.
_PREFERENCE = re.compile(r'\s*([^\s=;,]+)\s*(?:=\s*(?:"([^"]*)"|([^\s;,"]*)))?[^,]*')


def prefers_strict(headers: Mapping[str, str]) -> bool:
    """Whether `Prefer` (RFC 7240) asks for `handling=strict`. Of a preference given twice the first counts."""
    given = headers.get("Prefer")
    if not given:
        return False
    for name, quoted, plain in _PREFERENCE.findall(given):
        if name.lower() == "handling":
            return str(quoted or plain).lower() == "strict"
    return False


def is_binary(headers: Mapping[str, str], content_type: str) -> bool:
    """Return True for one CloudEvent in binary mode; a structured one says so in its media type, and that counts."""
    return "ce-specversion" in headers and not content_type.startswith(_STRUCTURED)


def read_body(request: HttpRequest, media_types: Collection[str] | None) -> bytes:
    """The body's bytes, decompressed; never more than `MAX_BYTES` are held, and the request keeps none of them.

    Raises `TooLargeError`, `MalformedError` for broken gzip, 415 for another encoding or for a media type that is
    not among `media_types` (None: any).
    """
    body: bytes = request.read(MAX_BYTES + 1)
    # The request stays until a full garbage collection, for the messages that Django hangs on it point back to it;
    # the server's own copy of the body must not stay with it.
    request.META.pop("wsgi.input", None)
    request._stream = None  # type: ignore[assignment]
    if body and media_types is not None and request.content_type not in media_types:
        raise UnsupportedMediaType(request.content_type or "")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"gzip", "x-gzip"}:
        body = _decompress(body)
    elif encoding not in {"", "identity"}:
        raise UnsupportedMediaType(encoding, detail=f"Content-Encoding {encoding[:40]!r} is not taken; gzip is")
    if len(body) > MAX_BYTES:
        raise TooLargeError(f"A request takes at most {MAX_BYTES:,} bytes, decompressed")
    return body


def _decompress(body: bytes) -> bytes:
    """All members of a gzip stream (RFC 1952), stopping one byte past the limit.

    In pieces, for what follows a member is copied at its end: a body of many small members would be copied as often.
    """
    parts: list[bytes] = []
    left, room, members = memoryview(body), MAX_BYTES + 1, 0
    try:
        while left and room > 0:
            members += 1
            if members > _MOST_MEMBERS:
                raise MalformedError(f"A gzip body has at most {_MOST_MEMBERS:,} members", code="malformed_gzip")
            member = zlib.decompressobj(wbits=31)
            while left and room > 0 and not member.eof:
                piece, left = left[:_PIECE], left[_PIECE:]
                parts.append(member.decompress(piece, room))
                room -= len(parts[-1])
            if not member.eof and room > 0:
                raise MalformedError("The gzip body ends too early", code="malformed_gzip")
            left = memoryview(body)[len(body) - len(left) - len(member.unused_data) :]
    except zlib.error as error:
        raise MalformedError(f"The body is not valid gzip: {error}", code="malformed_gzip") from None
    return b"".join(parts)
