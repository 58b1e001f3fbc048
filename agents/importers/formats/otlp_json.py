"""OTLP in JSON: one export request a record, mapped as the door for OpenTelemetry does it."""

from __future__ import annotations

from taximeter import Event

from agents.importers.formats.reading import Context
from agents.importers.report import LineBroken
from kernel.errors import TaximeterError
from metering.facade import otlp_json_events


def events_of(text: bytes, context: Context) -> tuple[list[Event], list[str]]:
    """The request's events, and why some of its spans became none. Raises `LineBroken`."""
    try:
        mapped = otlp_json_events(text, customer=context.customer)
    except TaximeterError as error:
        raise LineBroken(error.detail, code=error.code) from None
    refused = [f"span {one.span_id or '?'}: {one.detail} ({one.code})" for one in mapped.refused]
    return [event for _, event in mapped.events], refused
