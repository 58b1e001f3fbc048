"""The base of every error that a caller can act on.

An error says what kind it is and carries a stable `code`; the API layer alone knows which HTTP
status a kind becomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: `pointer` is a JSON pointer into the request (RFC 6901)."""

    pointer: str
    code: str
    detail: str


class TaximeterError(Exception):
    """Base of all errors a caller may see. `code` is stable; `detail` is for people."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.errors = tuple(errors)


class MalformedError(TaximeterError):
    """The input cannot be read at all (broken JSON, wrong encoding)."""

    code = "malformed"


class InvalidError(TaximeterError):
    """The input can be read but makes no sense."""

    code = "invalid"


class UnauthenticatedError(TaximeterError):
    """Nobody known is asking."""

    code = "unauthenticated"


class ForbiddenError(TaximeterError):
    """Who asks is known and may not do this."""

    code = "forbidden"


class NotFoundError(TaximeterError):
    """There is no such thing, or it is another organization's."""

    code = "not_found"


class ConflictError(TaximeterError):
    """The state of the thing does not allow this."""

    code = "conflict"


class TooLargeError(TaximeterError):
    """The input is larger than this door takes."""

    code = "too_large"


class TooSlowError(TaximeterError):
    """The input did not arrive in the time it is given."""

    code = "too_slow"


class TooManyError(TaximeterError):
    """More is asked than is allowed in a span of time; the same is welcome later."""

    code = "too_many"


class UnavailableError(TaximeterError):
    """A part this needs is not answering; the same call may succeed later."""

    code = "unavailable"
