"""Errors as RFC 9457 problem details: which status each kind of error becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.renderers import BaseRenderer

from kernel import errors
from rest.renderers import encode_json

_STATUS: list[tuple[type[errors.TaximeterError], int, str]] = [
    (errors.MalformedError, 400, "The request cannot be read"),
    (errors.UnauthenticatedError, 401, "Authentication is needed"),
    (errors.ForbiddenError, 403, "Not allowed"),
    (errors.NotFoundError, 404, "Not found"),
    (errors.TooSlowError, 408, "Too slow"),
    (errors.ConflictError, 409, "Conflict"),
    (errors.TooLargeError, 413, "Too large"),
    (errors.InvalidError, 422, "The request makes no sense"),
    (errors.TooManyError, 429, "Too many requests"),
    (errors.UnavailableError, 503, "Not available for the moment"),
]


def problem(
    status: int, title: str, *, code: str, detail: str, fields: Sequence[errors.FieldError] = ()
) -> dict[str, Any]:
    """The body of an `application/problem+json` answer."""
    body: dict[str, Any] = {
        "type": f"urn:taximeter:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if fields:
        body["errors"] = [{"pointer": f.pointer, "code": f.code, "detail": f.detail} for f in fields]
    return body


def problem_of(error: errors.TaximeterError) -> dict[str, Any]:
    """The problem that `error` becomes; an error of no known kind counts as invalid."""
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            return problem(status, title, code=error.code, detail=error.detail, fields=error.errors)
    return problem(422, "The request makes no sense", code=error.code, detail=error.detail, fields=error.errors)


class ProblemRenderer(BaseRenderer):
    media_type = "application/problem+json"
    format = "problem"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return encode_json(data)
