"""What a question to the API may come back with, one class per kind (RFC 9457 problem details)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taximeter.errors import TaximeterError

if TYPE_CHECKING:
    from taximeter.client.models import Verdict


class ClientError(TaximeterError):
    """Base of all errors of the client."""


class NoAnswer(ClientError):
    """The server could not be reached, or its answer broke off, after every attempt."""


class UnexpectedAnswer(ClientError):
    """An answer that is not what this API answers: another server, or a version with another shape."""


class NotAllowed(ClientError):
    """A budget, a limit or a plan says no. `reason` is stable and may be compared with; `verdict` is the answer."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict.reason}: {verdict.detail}")
        self.verdict = verdict
        self.reason = verdict.reason
        self.detail = verdict.detail


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field: `pointer` (RFC 6901) says which."""

    pointer: str
    code: str
    detail: str


class ApiError(ClientError):
    """The server refused. `code` is stable and may be compared with; `detail` is for people.

    `errors` names the fields that are wrong. `retry_after` is in seconds, where the server said so.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        errors: tuple[FieldProblem, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after


class Malformed(ApiError):
    """400: the request could not be read."""


class Unauthenticated(ApiError):
    """401: no API key, or one that is not valid (any more)."""


class Forbidden(ApiError):
    """403: the key lacks the scope that this needs."""


class NotFound(ApiError):
    """404: there is no such thing in this organization."""


class Conflict(ApiError):
    """409: it does not fit what is there."""


class Invalid(ApiError):
    """422: the request was read and makes no sense; `errors` says which field."""


class RateLimited(ApiError):
    """429: too fast, also after waiting; `retry_after` says how long."""


class ServerError(ApiError):
    """5xx: the server failed, also when asked again."""


class Unavailable(ServerError):
    """503: not for the moment."""


_KINDS: Mapping[int, type[ApiError]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: RateLimited,
    503: Unavailable,
}


def error_of(status: int, body: bytes, *, retry_after: float | None) -> ApiError:
    """The error that an answer stands for. What is no problem document is shown by its first words."""
    problem = _problem(body)
    kind = _KINDS.get(status, ServerError if status >= 500 else ApiError)
    return kind(
        status=status,
        code=str(problem.get("code") or f"http_{status}"),
        detail=str(problem.get("detail") or problem.get("title") or body[:200].decode(errors="replace")),
        errors=_fields(problem.get("errors")),
        retry_after=retry_after,
    )


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _fields(errors: Any) -> tuple[FieldProblem, ...]:
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return tuple(
        FieldProblem(str(one.get("pointer", "")), str(one.get("code", "")), str(one.get("detail", ""))) for one in found
    )
