"""OTLP in JSON: one export request a record, mapped as the door for OpenTelemetry does it."""

from __future__ import annotations

from taximeter import Event

from agents.importers.formats.reading import Context
from agents.importers.report import LineBroken
from kernel.errors import TaximeterError
from metering.facade import otlp_json_events


def events_of(text: bytes, context: Context) -> tuple[list[Event], list[tuple[str, str]]]:
    """The request's events, and code and detail of each span that cannot become one. Raises `LineBroken`."""
    try:
        mapped = otlp_json_events(text, customer=context.customer)
    except TaximeterError as error:
        raise LineBroken(error.detail, code=error.code) from None
    refused = [(one.code, f"span {one.span_id or '?'}: {one.detail}") for one in mapped.refused]
    return [event for _, event in mapped.events], refused
