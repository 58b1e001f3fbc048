"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import JsonResponse
from rest_framework import exceptions

from inference.domain.requests import RequestError
from kernel.errors import TaximeterError, UnavailableError
from rest.problems import problem_of

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_RETRY_AFTER_SECONDS = 2


class EngineUnavailable(UnavailableError):
    """The engine is not running, or it went away while it answered."""

    code = "engine_unavailable"


def error_body(status: int, message: str, *, code: str, param: str | None = None) -> dict[str, Any]:
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def handle(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """DRF's exception handler for the OpenAI-compatible door; None lets a fault of ours become a 500."""
    param = None
    if isinstance(error, RequestError):
        status, message, code, param = 400, error.detail, error.code, error.param
    elif isinstance(error, TaximeterError):
        status, message, code = problem_of(error)["status"], error.detail, error.code
    elif isinstance(error, exceptions.APIException):
        status, message, code = error.status_code, str(error.detail), str(error.default_code)
    else:
        return None
    response = JsonResponse(error_body(status, message, code=code, param=param), status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="taximeter"'
    if status in {429, 503}:
        response["Retry-After"] = str(int(getattr(error, "wait", None) or _RETRY_AFTER_SECONDS))
    return response


def openai_refusal(error: TaximeterError, environ: Mapping[str, Any]) -> JsonResponse:
    """What stands before the views refuses in the same words."""
    refusal = handle(error, {})
    assert refusal is not None
    return refusal
