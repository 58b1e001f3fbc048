from __future__ import annotations

from kernel.errors import InvalidError, UnavailableError


class ModelUnavailable(UnavailableError):
    """The model's server is not answering; the same task may be worked later."""

    code = "model_unavailable"


class ModelRefused(InvalidError):
    """The model's server will not answer such a request, now or later."""

    code = "model_refused"


class ToolInvalid(TypeError):
    """A function cannot be offered as a tool: its arguments cannot be described to a model."""
