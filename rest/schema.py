"""How the API describes itself (OpenAPI)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse


class Schema(AutoSchema):
    """Adds what all operations share: an object answers, problems refuse, a list is paged."""

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
        return {200: OpenApiTypes.OBJECT, "4XX": problem}


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key with the scope the operation needs"}


class DecimalScheme(OpenApiSerializerFieldExtension):
    target_class = "rest.serializers.DecimalField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, str]:
        return {"type": "string", "format": "decimal"}


class InstantScheme(OpenApiSerializerFieldExtension):
    target_class = "rest.serializers.InstantField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, str]:
        return {"type": "string", "format": "date-time"}
