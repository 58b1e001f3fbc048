"""Answers of the OTLP door: always a protobuf message, in the encoding of the request."""

from __future__ import annotations

from django.http import HttpResponse
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from metering.otlp.recording import Report

PROTOBUF, JSON = "application/x-protobuf", "application/json"

#: gRPC's code for each HTTP status: INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, and so on.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
_INTERNAL = 13


def answer(message: Message, *, media_type: str, status: int = 200) -> HttpResponse:
    if media_type == PROTOBUF:
        return HttpResponse(message.SerializeToString(), status=status, content_type=PROTOBUF)
    return HttpResponse(json_format.MessageToJson(message, indent=None), status=status, content_type=JSON)


def success(report: Report) -> Message:
    """Full success, or partial success with the spans that were refused or only noticed."""
    message = ExportTraceServiceResponse()
    if report.message:
        message.partial_success.rejected_spans = report.rejected
        message.partial_success.error_message = report.message
    return message


def success_of_logs(report: Report) -> Message:
    """The same for log records."""
    message = ExportLogsServiceResponse()
    if report.message:
        message.partial_success.rejected_log_records = report.rejected
        message.partial_success.error_message = report.message
    return message


def failure(status: int, detail: str, *, code: str, retry_after: str | None) -> Message:
    """A `google.rpc.Status`, with details for what is malformed and for what may be sent again."""
    message = status_pb2.Status(code=_CODES.get(status, _INTERNAL), message=f"{detail} ({code})")
    if status == 400:
        violation = error_details_pb2.BadRequest.FieldViolation(field="body", description=detail)
        message.details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if retry_after is not None:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.seconds = int(retry_after)
        message.details.append(_packed(info))
    return message


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
