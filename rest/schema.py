"""How the API describes itself (OpenAPI)."""

from __future__ import annotations

import functools
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers


class Page(serializers.Serializer):  # type: ignore[type-arg]
    """A page of a list; `next_cursor` is null on the last one."""

    next_cursor = serializers.CharField(allow_null=True)


@functools.cache
def page_of(answer: type[serializers.Serializer]) -> type[Page]:  # type: ignore[type-arg]
    """The shape of a page of `answer`s."""
    return type(f"{answer.__name__}Page", (Page,), {"data": answer(many=True), "__doc__": Page.__doc__})


class Schema(AutoSchema):
    """Adds what all operations share: an object answers, problems refuse, a list is paged.

    A view says what it answers in `answers`, such as `{"GET": page_of(Customer), "POST": Customer}`, and by which
    parameters its list is filtered in `filters`.
    """

    def get_operation_id(self) -> str:
        parts = [part for part in self.path.removeprefix("/api").split("/") if part not in {"", "v1"}]
        names = [f"by_{part[1:-1]}" if part.startswith("{") else part for part in parts]
        return "_".join([self.method.lower(), *names])

    def get_tags(self) -> list[str]:
        parts = [part for part in self.path.split("/") if part and part not in {"api", "v1"}]
        return [parts[0]] if parts else ["api"]

    def get_request_serializer(self) -> Any:
        return super().get_request_serializer() if hasattr(self.view, "get_serializer") else None

    def get_response_serializers(self) -> Any:
        problem = OpenApiResponse(OpenApiTypes.OBJECT, description="A problem (RFC 9457) with a stable code")
        answer = getattr(self.view, "answers", {}).get(self.method, OpenApiTypes.OBJECT)
        return {200: answer, "4XX": problem}

    def get_override_parameters(self) -> Any:
        if self.method != "GET":
            return []
        answer = getattr(self.view, "answers", {}).get("GET")
        paging = [("limit", OpenApiTypes.INT), ("cursor", OpenApiTypes.STR)]
        is_paged = isinstance(answer, type) and issubclass(answer, Page)
        names = [(name, OpenApiTypes.STR) for name in getattr(self.view, "filters", ())]
        return [OpenApiParameter(name, kind) for name, kind in names + (paging if is_paged else [])]


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key with the scope the operation needs"}


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
