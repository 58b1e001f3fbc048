"""The API's error handler: every refusal leaves as a problem (RFC 9457) with a stable code."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from rest_framework import exceptions

from kernel.errors import FieldError, TaximeterError
from rest.isolation import ConflictingChanges, is_conflict
from rest.problems import problem, problem_of
from rest.renderers import encode_json


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """What DRF calls for an exception in a view; None lets it become a 500, which only a fault of ours may."""
    body = _problem(error)
    if body is None:
        return None
    response = HttpResponse(encode_json(body), status=body["status"], content_type="application/problem+json")
    if body["status"] == 401:
        response["WWW-Authenticate"] = 'Bearer realm="taximeter"'
    if body["status"] in {429, 503} or body["code"] == ConflictingChanges.code:
        response["Retry-After"] = str(int(getattr(error, "wait", None) or 1))
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A problem where an API was asked, a page elsewhere. Django's `handler404`."""
    if not _asks_api(request):
        return defaults.page_not_found(request, exception)
    body = problem(404, "Not found", code="not_found", detail=f"There is nothing at {request.path}")
    return HttpResponse(encode_json(body), status=404, content_type="application/problem+json")


def server_error(request: HttpRequest) -> HttpResponse:
    """The same for a fault of ours. Django's `handler500`."""
    if not _asks_api(request):
        return defaults.server_error(request)
    body = problem(500, "A fault of the server", code="internal", detail="This is our fault; it was logged")
    return HttpResponse(encode_json(body), status=500, content_type="application/problem+json")


def _asks_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/v1/"))


def _problem(error: Exception) -> dict[str, Any] | None:
    if isinstance(error, TaximeterError):
        return problem_of(error)
    if isinstance(error, exceptions.ValidationError):
        fields = list(_field_errors(error.get_full_details(), ""))
        detail = "; ".join(f"{f.pointer or 'body'}: {f.detail}" for f in fields[:3])
        return problem(422, "The request makes no sense", code="invalid", detail=detail, fields=fields)
    if isinstance(error, OperationalError) and is_conflict(error):
        return problem_of(ConflictingChanges())
    if isinstance(error, OperationalError | InterfaceError):
        detail = "The database is not answering; nothing is known to be lost. Send the same again"
        return problem(503, "Not available for the moment", code="database_unavailable", detail=detail)
    if isinstance(error, Http404):
        return problem(404, "Not found", code="not_found", detail="There is no such thing here")
    if isinstance(error, PermissionDenied):
        return problem(403, "Not allowed", code="forbidden", detail=str(error) or "This is not allowed")
    if isinstance(error, RequestDataTooBig):
        return problem(413, "Too large", code="too_large", detail="The body is too large")
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return problem(401, "Authentication is needed", code="unauthenticated", detail=str(error.detail))
    if isinstance(error, exceptions.APIException):
        code = error.get_codes()
        return problem(
            error.status_code,
            type(error).__name__,
            code=code if isinstance(code, str) else "error",
            detail=str(error.detail),
        )
    return None


def _field_errors(details: Any, pointer: str) -> list[FieldError]:
    """DRF's nested error details, flattened into JSON pointers."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        return [FieldError(pointer, str(details["code"]), str(details["message"]))]
    if isinstance(details, dict):
        parts = [(pointer if k == "non_field_errors" else f"{pointer}/{k}", v) for k, v in details.items()]
    else:
        leaves = all(isinstance(item, dict) and set(item) == {"message", "code"} for item in details)
        parts = [(pointer if leaves else f"{pointer}/{i}", item) for i, item in enumerate(details)]
    return [error for where, item in parts for error in _field_errors(item, where)]
