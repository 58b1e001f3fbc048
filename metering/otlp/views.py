"""The OTLP/HTTP doors for traces and logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.settings import api_settings

from kernel.clock import system_clock
from kernel.errors import InvalidError, TaximeterError
from kernel.keys import customer_in_header
from metering.api.bodies import read_body
from metering.api.doors import Door
from metering.otlp.answers import JSON, PROTOBUF, answer, failure, success, success_of_logs
from metering.otlp.decoding import decode_json, decode_logs_json, decode_logs_protobuf, decode_protobuf
from metering.otlp.recording import record_logs, record_spans
from rest.renderers import JsonRenderer

_LONGEST_CUSTOMER = 255


class _OtlpDoor(Door):
    """A door whose answers, refusals too, are protobuf messages in the encoding of the request."""

    takes_customer_keys = True
    refusals = ((JSON, PROTOBUF), None)

    def perform_content_negotiation(self, request: Any, force: bool = False) -> tuple[BaseRenderer, str]:
        """OTLP answers in the encoding of the request, whatever `Accept` says."""
        return JsonRenderer(), JSON

    def get_exception_handler(self) -> Callable[..., HttpResponse | None]:
        usual = super().get_exception_handler()

        def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
            refusal = usual(error, context)
            return None if refusal is None else _as_status(refusal, media_type=_media_type(context["request"]))

        return handle


_SHAPES: dict[str, Any] = {
    "request": {PROTOBUF: OpenApiTypes.BINARY, JSON: OpenApiTypes.OBJECT},
    "responses": {(200, JSON): OpenApiTypes.OBJECT, (200, PROTOBUF): OpenApiTypes.BINARY},
}


class TracesView(_OtlpDoor):
    """Takes `ExportTraceServiceRequest` and turns its GenAI spans into usage events."""

    @extend_schema(**_SHAPES)
    def post(self, request: Any) -> HttpResponse:
        """Traces by OTLP/HTTP in protobuf or JSON, plain or gzipped. `X-Customer` is for spans that name none."""
        media_type = _media_type(request)
        customer = _customer(request) or request.auth.customer
        body = read_body(request, (PROTOBUF, JSON))
        spans = decode_protobuf(body) if media_type == PROTOBUF else decode_json(body)
        del body  # its spans are all that is needed of it
        report = record_spans(
            organization_id=request.auth.organization_id,
            spans=spans,
            customer=customer,
            received_at=system_clock(),
            only_customer=request.auth.customer,
        )
        return answer(success(report), media_type=media_type)


class LogsView(_OtlpDoor):
    """Takes `ExportLogsServiceRequest` and turns the records of coding agents into usage events."""

    @extend_schema(**_SHAPES)
    def post(self, request: Any) -> HttpResponse:
        """Logs by OTLP/HTTP in protobuf or JSON, plain or gzipped. `X-Customer` is for records that name none."""
        media_type = _media_type(request)
        customer = _customer(request) or request.auth.customer
        body = read_body(request, (PROTOBUF, JSON))
        records = decode_logs_protobuf(body) if media_type == PROTOBUF else decode_logs_json(body)
        del body  # its records are all that is needed of it
        report = record_logs(
            organization_id=request.auth.organization_id,
            records=records,
            customer=customer,
            received_at=system_clock(),
            only_customer=request.auth.customer,
        )
        return answer(success_of_logs(report), media_type=media_type)


def otlp_refusal(error: TaximeterError, environ: Mapping[str, Any]) -> HttpResponse:
    """What stands before the views refuses in the same words."""
    handle: Any = api_settings.EXCEPTION_HANDLER
    refusal = handle(error, {})
    protobuf = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == PROTOBUF
    return _as_status(refusal, media_type=PROTOBUF if protobuf else JSON)


def _media_type(request: Any) -> str:
    return PROTOBUF if request.content_type == PROTOBUF else JSON


def _customer(request: Any) -> str | None:
    customer = customer_in_header(request.headers.get("X-Customer", ""))
    if len(customer) > _LONGEST_CUSTOMER or not customer.isprintable():
        raise InvalidError(
            f"X-Customer must be printable and at most {_LONGEST_CUSTOMER} characters", code="header_invalid"
        )
    return customer or None


def _as_status(refusal: HttpResponse, *, media_type: str) -> HttpResponse:
    """The API's usual refusal as OTLP has it; its headers (`Retry-After`, `WWW-Authenticate`) stay."""
    problem = msgspec.json.decode(refusal.content)
    # OTLP knows one status for a request that is wrong in itself.
    status = 400 if refusal.status_code == 422 else refusal.status_code
    retry_after = refusal.headers.get("Retry-After")
    message = failure(status, problem["detail"], code=problem["code"], retry_after=retry_after)
    response = answer(message, media_type=media_type, status=status)
    for name, value in refusal.headers.items():
        if name.lower() != "content-type":
            response[name] = value
    return response
