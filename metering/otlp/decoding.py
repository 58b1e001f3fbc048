"""From the two encodings of OTLP to spans. Only attributes that some field is taken from are read at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from kernel.errors import MalformedError, TooLargeError
from metering.domain import otel_logs
from metering.domain.otel_aliases import READ, RESPONSE_ID
from metering.domain.otel_logs import Record
from metering.domain.otel_spans import Span, Value
from metering.otlp import envelope

MAX_SPANS = 10_000
MAX_SPAN_BYTES = 4 * 1024 * 1024

_READ = READ | {RESPONSE_ID}
#: A longer body is no event's name.
_LONGEST_BODY = 300
_LAST_NANOSECOND = 2**64 - 1
_INTEGER = re.compile(r"-?[0-9]{1,20}")


def decode_protobuf(body: bytes) -> list[Span]:
    """The spans of a binary `ExportTraceServiceRequest`; raises `MalformedError`, `TooLargeError`."""
    try:
        groups = envelope.Request.FromString(body).groups
        _check_sizes(span for group in groups for scope in group.scopes for span in scope.spans)
        return list(_spans_of_protobuf(groups))
    except DecodeError as error:
        raise MalformedError(f"The body is not an OTLP request: {error}", code="malformed_protobuf") from None


def _spans_of_protobuf(groups: Iterable[Any]) -> Iterator[Span]:
    for group in groups:
        resource = _attributes_of_protobuf(group.resource.attributes)
        for scope in group.scopes:
            for span in scope.spans:
                yield _span_of_protobuf(envelope.Span.FromString(span), resource)


def _span_of_protobuf(span: Any, resource: Mapping[str, Value]) -> Span:
    return Span(
        trace_id=_id(span.trace_id.hex(), 32),
        span_id=_id(span.span_id.hex(), 16),
        parent_id=_parent(span.parent_span_id.hex()),
        name=span.name,
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_attributes_of_protobuf(span.attributes),
        resource=resource,
    )


def _attributes_of_protobuf(pairs: Iterable[Any], read: Set[str] = _READ) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in pairs:
        if pair.key not in read:
            continue
        value = AnyValue.FromString(pair.value)
        which = value.WhichOneof("value")
        if which in {"string_value", "bool_value", "int_value", "double_value"}:
            found[pair.key] = getattr(value, which)
        elif which == "array_value":
            values = value.array_value.values
            found[pair.key] = tuple(v.string_value for v in values if v.HasField("string_value"))
    return found


def decode_logs_protobuf(body: bytes) -> list[Record]:
    """The records of a binary `ExportLogsServiceRequest`; raises `MalformedError`, `TooLargeError`."""
    try:
        groups = envelope.Request.FromString(body).groups
        _check_sizes((record for group in groups for scope in group.scopes for record in scope.spans), "record")
        return list(_records_of_protobuf(groups))
    except DecodeError as error:
        raise MalformedError(f"The body is not an OTLP request: {error}", code="malformed_protobuf") from None


def _records_of_protobuf(groups: Iterable[Any]) -> Iterator[Record]:
    for group in groups:
        resource = _attributes_of_protobuf(group.resource.attributes, otel_logs.READ)
        for scope in group.scopes:
            for one in scope.spans:
                record = envelope.Record.FromString(one)
                yield Record(
                    at_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    name=record.event_name or _name_in_protobuf(record.body),
                    trace_id=_id(record.trace_id.hex(), 32),
                    span_id=_id(record.span_id.hex(), 16),
                    attributes=_attributes_of_protobuf(record.attributes, otel_logs.READ),
                    resource=resource,
                )


def _name_in_protobuf(body: bytes) -> str:
    """The text of a record's body, "" for a longer one and for anything else: it is no event's name."""
    if len(body) >= _LONGEST_BODY:
        return ""
    try:
        return str(AnyValue.FromString(body).string_value)
    except DecodeError:
        return ""


class _Json(msgspec.Struct, rename="camel", gc=False):
    """Messages in OTLP's JSON mapping: unknown names are ignored, null is the default."""


class _JsonArray(_Json):
    values: list[_JsonValue] | None = None


class _JsonValue(_Json):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: _JsonArray | None = None


class _JsonAttribute(_Json):
    key: str | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")


class _JsonResource(_Json):
    attributes: list[_JsonAttribute] | None = None


class _JsonStatus(_Json):
    code: int | str | None = None


class _JsonSpan(_Json):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[_JsonAttribute] | None = None
    status: _JsonStatus | None = None


class _JsonScope(_Json):
    spans: list[msgspec.Raw] | None = None


class _JsonGroup(_Json):
    resource: _JsonResource | None = None
    scope_spans: list[_JsonScope] | None = None


class _JsonRequest(_Json):
    resource_spans: list[_JsonGroup] | None = None


class _JsonRecord(_Json):
    time_unix_nano: int | str | None = None
    observed_time_unix_nano: int | str | None = None
    event_name: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")
    attributes: list[_JsonAttribute] | None = None
    trace_id: str | None = None
    span_id: str | None = None


class _JsonLogScope(_Json):
    log_records: list[msgspec.Raw] | None = None


class _JsonLogGroup(_Json):
    resource: _JsonResource | None = None
    scope_logs: list[_JsonLogScope] | None = None


class _JsonLogRequest(_Json):
    resource_logs: list[_JsonLogGroup] | None = None


_request_decoder = msgspec.json.Decoder(_JsonRequest)
_span_decoder = msgspec.json.Decoder(_JsonSpan)
_log_request_decoder = msgspec.json.Decoder(_JsonLogRequest)
_record_decoder = msgspec.json.Decoder(_JsonRecord)
_value_decoder = msgspec.json.Decoder(_JsonValue | None)


def decode_json(body: bytes) -> list[Span]:
    """The spans of a request in OTLP's JSON mapping; raises `MalformedError`, `TooLargeError`."""
    try:
        groups = _request_decoder.decode(body).resource_spans or []
        _check_sizes(span for group in groups for scope in group.scope_spans or [] for span in scope.spans or [])
        return list(_spans_of_json(groups))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError(f"The body is not an OTLP request in JSON: {error}", code="malformed_json") from None


def decode_logs_json(body: bytes) -> list[Record]:
    """The records of a request in OTLP's JSON mapping; raises `MalformedError`, `TooLargeError`."""
    try:
        groups = _log_request_decoder.decode(body).resource_logs or []
        scopes = [scope for group in groups for scope in group.scope_logs or []]
        _check_sizes((record for scope in scopes for record in scope.log_records or []), "record")
        return list(_records_of_json(groups))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError(f"The body is not an OTLP request in JSON: {error}", code="malformed_json") from None


def _records_of_json(groups: Iterable[_JsonLogGroup]) -> Iterator[Record]:
    for group in groups:
        resource = _attributes_of_json(group.resource.attributes if group.resource else None, otel_logs.READ)
        for scope in group.scope_logs or []:
            for one in scope.log_records or []:
                record = _record_decoder.decode(one)
                yield Record(
                    at_ns=_nanoseconds(record.time_unix_nano) or _nanoseconds(record.observed_time_unix_nano),
                    name=record.event_name or _name_in_json(record.body),
                    trace_id=_id(record.trace_id or "", 32),
                    span_id=_id(record.span_id or "", 16),
                    attributes=_attributes_of_json(record.attributes, otel_logs.READ),
                    resource=resource,
                )


def _name_in_json(body: msgspec.Raw) -> str:
    """The same for JSON."""
    if len(memoryview(body)) >= _LONGEST_BODY:
        return ""
    try:
        found = _value_decoder.decode(body)
    except msgspec.MsgspecError:
        return ""
    return (found.string_value if found else None) or ""


def _spans_of_json(groups: Iterable[_JsonGroup]) -> Iterator[Span]:
    for group in groups:
        resource = _attributes_of_json(group.resource.attributes if group.resource else None)
        for scope in group.scope_spans or []:
            for span in scope.spans or []:
                yield _span_of_json(_span_decoder.decode(span), resource)


def _span_of_json(span: _JsonSpan, resource: Mapping[str, Value]) -> Span:
    return Span(
        trace_id=_id(span.trace_id or "", 32),
        span_id=_id(span.span_id or "", 16),
        parent_id=_parent(span.parent_span_id or ""),
        name=span.name or "",
        started_ns=_nanoseconds(span.start_time_unix_nano),
        ended_ns=_nanoseconds(span.end_time_unix_nano),
        # Names of enum values are not allowed in OTLP's mapping; some senders write them all the same.
        failed=span.status is not None and span.status.code in {2, "2", "STATUS_CODE_ERROR"},
        attributes=_attributes_of_json(span.attributes),
        resource=resource,
    )


def _attributes_of_json(pairs: Iterable[_JsonAttribute] | None, read: Set[str] = _READ) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in pairs or []:
        if pair.key not in read:
            continue
        given = _value_decoder.decode(pair.value)
        value = _value_of_json(given) if given else None
        if pair.key and value is not None:
            found[pair.key] = value
    return found


def _value_of_json(value: _JsonValue) -> Value | None:
    if value.int_value is not None:
        return _integer(value.int_value)
    if value.double_value is not None:
        return float(value.double_value)
    if value.array_value is not None:
        return tuple(v.string_value for v in value.array_value.values or [] if v.string_value is not None)
    return value.bool_value if value.string_value is None else value.string_value


def _integer(value: int | str) -> int:
    """A 64-bit number, which JSON carries as text or as a number."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise ValueError(f"{value[:40]!r} is not a whole number")
        value = int(value)
    return value


def _nanoseconds(value: int | str | None) -> int:
    number = _integer(value or 0)
    if not 0 <= number <= _LAST_NANOSECOND:
        raise ValueError(f"{str(number)[:40]} is no time in nanoseconds")
    return number


def _check_sizes(spans: Iterable[bytes | msgspec.Raw], what: str = "span") -> None:
    for number, span in enumerate(spans, start=1):
        if number > MAX_SPANS:
            raise TooLargeError(f"A request takes at most {MAX_SPANS:,} {what}s", code=f"too_many_{what}s")
        if memoryview(span).nbytes > MAX_SPAN_BYTES:
            raise TooLargeError(f"A {what} takes at most {MAX_SPAN_BYTES:,} bytes", code=f"{what}_too_large")


def _id(text: str, length: int) -> str:
    """`text` as an id in lower-case hex, or "" if it is none: not hex, of another length, or all zero."""
    text = text.lower()
    return text if re.fullmatch(f"[0-9a-f]{{{length}}}", text) and text.strip("0") else ""


def _parent(text: str) -> str | None:
    """The parent's id; None for a root, "" for what is no id."""
    return _id(text, 16) if text.strip("0") else None
