"""A meter's usage as it changes, for dashboards."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.views import APIView

from metering.api.views import UsageView
from metering.stream.answers import live_answer
from metering.stream.events import event_stream
from rest.renderers import JsonRenderer, encode_json


class UsageStreamView(APIView):
    """The answer of `usage` as server-sent events: one at first, and one whenever it has changed."""

    open_parameters = True  # those of `usage`

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
