"""OTLP requests that were kept in a file, as the collector's file exporter writes them."""

from __future__ import annotations

from metering.domain.otel import Mapped, map_spans
from metering.otlp.decoding import decode_json


def otlp_json_events(body: bytes, *, customer: str | None) -> Mapped:
    """The events of one request in OTLP's JSON mapping; `customer` is for spans that name none.

    Raises `MalformedError`, `TooLargeError`.
    """
    return map_spans(decode_json(body), customer=customer)
