"""How the API describes itself (OpenAPI)."""

from __future__ import annotations

import functools
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from rest.access import ROLES, SCOPE_WORDS, SCOPES, TABLE, Permission
from rest.permissions import HasPermission, permission_of
from rest.serializers import Shape


class Page(serializers.Serializer[Any]):
    """A page of a list; `next_cursor` is null on the last one."""

    next_cursor = serializers.CharField(allow_null=True)


@functools.cache
def page_of(answer: type[serializers.Serializer[Any]]) -> type[Page]:
    """The shape of a page of `answer`s."""
    return type(f"{answer.__name__}Page", (Page,), {"data": answer(many=True), "__doc__": Page.__doc__})


class FieldProblem(serializers.Serializer[Any]):
    """What is wrong with one field; `pointer` is a JSON pointer into the request (RFC 6901)."""

    pointer = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(Shape):
    """Why a request was refused (RFC 9457), with a stable `code`."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FieldProblem(many=True, required=False)


#: How any request may be refused, and one with a body besides.
REFUSALS = {
    400: "The request cannot be read",
    401: "No API key, or one that does not work",
    403: "The API key may not do this",
    404: "Not found, or another organization's",
    406: "The answer cannot be given in a type that the request accepts",
    409: "The state of things does not allow this",
    422: "The request can be read and makes no sense",
    429: "The API key has used up its requests for now",
    503: "Not available for the moment; the same request may be sent again",
}
BODY_REFUSALS = {
    400: "The request cannot be read",
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The body's media type is not supported",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}


class Schema(AutoSchema):
    """Adds what all operations share: an object answers, problems refuse, a list is paged.

    A view says what it answers in `answers`, such as `{"GET": page_of(Customer), "POST": Customer}`, with which status
    in `statuses` where that is not 200 (204 for a DELETE without an answer), and by which parameters its list is
    filtered in `filters`. One that refuses in another form than a `Problem` says so in `refusals`: media types, and
    the shape, if it has one.
    """

    def get_operation_id(self) -> str:
        parts = [part for part in self.path.removeprefix("/api").split("/") if part not in {"", "v1"}]
        names = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in parts]
        return "_".join([self.method.lower(), *names])

    def get_tags(self) -> list[str]:
        parts = [part for part in self.path.split("/") if part and part not in {"api", "v1"}]
        return [parts[0]] if parts else ["api"]

    def get_description(self) -> str:  # type: ignore[override] # drf-spectacular's, not DRF's
        said = super().get_description() or ""
        needed = self._permission()
        if needed is None:
            return said
        rule = TABLE[needed]
        scopes = " or ".join(f"`{scope}`" for scope in SCOPES if scope in rule.scopes)
        roles = ", ".join(role for role in ROLES if role in rule.roles)
        return (
            f"{said}\n\nNeeds a key with the scope {scopes}, of the operator or a member of the role {roles}.".strip()
        )

    def get_extensions(self) -> dict[str, Any]:
        """The permission an operation needs, and the scopes and makers' roles that have it."""
        needed = self._permission()
        if needed is None:
            return {}
        rule = TABLE[needed]
        return {
            "x-permission": str(needed),
            "x-scopes": [scope for scope in SCOPES if scope in rule.scopes],
            "x-roles": [role for role in ROLES if role in rule.roles],
        }

    def _permission(self) -> Permission | None:
        needs_key = any(
            isinstance(one, type) and issubclass(one, HasPermission) for one in self.view.permission_classes
        )
        return permission_of(self.view, self.method) if needs_key else None

    def get_request_serializer(self) -> Any:
        return super().get_request_serializer() if hasattr(self.view, "get_serializer") else None

    def get_response_serializers(self) -> Any:
        answers = getattr(self.view, "answers", {})
        if self.method == "DELETE" and self.method not in answers:
            return {204: None}
        status = getattr(self.view, "statuses", {}).get(self.method, 200)
        return {status: answers.get(self.method, OpenApiTypes.OBJECT)}

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        """Those of the answers, and of the refusals, which every operation has."""
        return super()._get_response_bodies(direction) | self._refusals()

    def _refusals(self) -> dict[str, Any]:
        media_types, shape = getattr(self.view, "refusals", (("application/problem+json",), Problem))
        schema = self.resolve_serializer(shape, "response").ref if shape else {"type": "object"}
        refusals = REFUSALS if self.method == "GET" else REFUSALS | BODY_REFUSALS
        return {
            str(status): {
                "description": reason,
                "content": {media_type: {"schema": schema} for media_type in media_types},
                **({"headers": _RETRY_AFTER} if status in {429, 503} else {}),
            }
            for status, reason in sorted(refusals.items())
        }

    def get_override_parameters(self) -> Any:
        if self.method != "GET":
            return []
        answer = getattr(self.view, "answers", {}).get("GET")
        paging = [("limit", OpenApiTypes.INT), ("cursor", OpenApiTypes.STR)]
        is_paged = isinstance(answer, type) and issubclass(answer, Page)
        names = [(name, OpenApiTypes.STR) for name in getattr(self.view, "filters", ())]
        return [OpenApiParameter(name, kind) for name, kind in names + (paging if is_paged else [])]


#: The scopes, for people who read the API's description.
_KEYS = "An API key. Its scopes, and the present role of the member who created it, bound it: " + "; ".join(
    f"`{scope}`: {words}" for scope, words in SCOPE_WORDS.items()
)


def let_shapes_overlap(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocess: an answer of several shapes has at least one of them, since none forbids further fields."""
    for schema in result["components"]["schemas"].values():
        if "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")
    return result


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": _KEYS}


class AnyScheme(OpenApiSerializerFieldExtension):
    target_class = "rest.serializers.AnyField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, str]:
        return {}


class DecimalScheme(OpenApiSerializerFieldExtension):
    target_class = "rest.serializers.DecimalField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, str]:
        return {"type": "string", "format": "decimal"}


class InstantScheme(OpenApiSerializerFieldExtension):
    target_class = "rest.serializers.InstantField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, str]:
        return {"type": "string", "format": "date-time"}
