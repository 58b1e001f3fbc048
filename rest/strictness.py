"""Requests that say something a view does not read are refused: a misspelt filter must not widen an answer, and an
action that is sent with a field it does not know must not do something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from django.http import QueryDict
from rest_framework.permissions import BasePermission

from kernel.errors import FieldError, InvalidError

#: Vendors' wires under `/v1` accept what their clients send.
_STRICT = "/api/v1/"


class ParameterUnknown(InvalidError):
    code = "parameter_unknown"


class UnknownField(InvalidError):
    code = "unknown_field"


class _Described(NamedTuple):
    parameters: frozenset[str]
    takes_body: bool


class KnowsItsInput(BasePermission):
    """Raises `ParameterUnknown` or `UnknownField` (422) for what the API's description of a view does not name.

    The description is the one that the OpenAPI document is made from, so both say the same. A view whose parameters
    depend on data, such as a meter's dimensions, says `open_parameters = True` and checks them itself. Bodies with a
    described shape are checked by their serializer (`StrictSerializer`); where none is described, none may be sent.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        if not request.path.startswith(_STRICT):
            return True
        described = _describe(view.__class__, "GET" if request.method == "HEAD" else str(request.method))
        parameters = request.GET
        if parameters and not getattr(view, "open_parameters", False):
            refuse_unknown(parameters, described.parameters)
        if parameters:
            refuse_repeated(parameters)
        if not described.takes_body and request.META.get("CONTENT_LENGTH") not in {None, "", "0"}:
            _refuse_body(request.data)
        return True


def refuse_unknown(parameters: Iterable[str], known: Iterable[str]) -> None:
    """Raise `ParameterUnknown` for the names in `parameters` that are not in `known`."""
    names = sorted(known)
    if unknown := sorted(set(parameters) - set(names)):
        listed = f"Use {', '.join(names)}." if names else "It takes none."
        raise ParameterUnknown(
            f"The parameter {unknown[0]!r} is not known here. {listed}",
            errors=[FieldError(f"/{name}", "parameter_unknown", "This parameter is not known") for name in unknown],
        )


def refuse_repeated(parameters: QueryDict) -> None:
    """Raise `InvalidError` (code `parameter_repeated`) where a parameter comes twice, since one would be ignored."""
    if twice := sorted(name for name, values in parameters.lists() if len(values) > 1):
        raise InvalidError(f"Send the parameter {twice[0]!r} once", code="parameter_repeated")


def _refuse_body(body: Mapping[str, Any]) -> None:
    if body:
        raise UnknownField(
            "This request takes no body",
            errors=[FieldError(f"/{name}", "unknown_field", "There is no such field") for name in sorted(body)],
        )


@cache
def _describe(view: type[Any], method: str) -> _Described:
    handler = getattr(view, method.lower(), None)
    schema = getattr(handler, "kwargs", {}).get("schema", type(view.schema))()
    schema.view, schema.method = view(request=None, kwargs={}), method
    parameters = {each.name for each in schema.get_override_parameters() if each.location == "query"}
    return _Described(frozenset(parameters), schema.get_request_serializer() is not None)
