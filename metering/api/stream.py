"""A meter's usage as it changes, for dashboards."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.renderers import BaseRenderer
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from metering.api.views import UsageView
from metering.stream.answers import live_answer
from metering.stream.events import event_stream
from metering.stream.kept import Kept
from rest.renderers import JsonRenderer, encode_json

#: For so many seconds a key is not looked up again: how long a revoked one may still see usage change.
KEPT_SECONDS = 10.0

_keys: Kept[Any] = Kept(seconds=KEPT_SECONDS)


class KeptAuthentication(BaseAuthentication):
    """The API's own authentication, asked once in `KEPT_SECONDS` for each key."""

    def authenticate(self, request: Any) -> Any:
        given = hashlib.sha256(get_authorization_header(request)).digest()
        [authentication] = [one() for one in api_settings.DEFAULT_AUTHENTICATION_CLASSES]
        return _keys.get(given) or _keys.keep(given, authentication.authenticate(request))

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="taximeter"'


class UsageStreamView(APIView):
    """The answer of `usage` as server-sent events: one at first, and one whenever it has changed."""

    required_scope = "read"
    authentication_classes = [KeptAuthentication]

    def perform_content_negotiation(self, request: Any, force: bool = False) -> tuple[BaseRenderer, str]:
        """An event stream whatever `Accept` says; refusals are problems as everywhere."""
        return JsonRenderer(), "application/json"

    @extend_schema(responses={(200, "text/event-stream"): OpenApiTypes.STR})
    def get(self, request: Any, meter: str) -> HttpResponse:
        """Parameters as of `usage`. Each reply ends and says when to ask again, as an EventSource does by itself."""
        organization_id = request.auth.organization_id
        question = ("usage", meter, tuple(sorted(request.query_params.items())))

        def find() -> bytes:
            return encode_json(UsageView().get(request, meter).data)

        return event_stream(request, live_answer(organization_id, question, find), event="usage")
