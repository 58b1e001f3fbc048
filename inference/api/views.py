"""The OpenAI-compatible door: any OpenAI client is served by the embedded engine, and metered."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from inference.api import engine
from inference.api.errors import handle
from inference.api.metered_call import MeteredCall, call_of
from inference.api.relay import Events, Whole, relay
from inference.domain.requests import RequestError
from kernel.errors import TooLargeError
from rest.access import Permission

MAX_BODY_BYTES = 2 * 1024 * 1024
#: The call that is metered here, so that a client which meters too knows to leave it out.
CALL_HEADER = "X-Taximeter-Call"


_ANSWERS = {(200, "application/json"): dict, (200, "text/event-stream"): OpenApiTypes.STR}


class OpenAiErrorDetail(serializers.Serializer[Any]):
    message = serializers.CharField()
    type = serializers.CharField()
    param = serializers.CharField(allow_null=True)
    code = serializers.CharField(allow_null=True)


class OpenAiError(serializers.Serializer[Any]):
    """How OpenAI's API refuses."""

    error = OpenAiErrorDetail()


class OpenAiView(APIView):
    """A view that speaks OpenAI's API, errors included."""

    required_permission = Permission.SEND_EVENTS
    takes_customer_keys = True
    refusals = (("application/json",), OpenAiError)

    def get_exception_handler(self) -> Any:
        return handle


class ModelsView(OpenAiView):
    @extend_schema(operation_id="get_served_models")
    def get(self, request: Any) -> JsonResponse:
        """The models that can be asked for."""
        return JsonResponse(engine.ask("GET", "/v1/models"))


class CallView(OpenAiView):
    """A POST that the engine answers at `path`; each is one `inference.call` event."""

    path: str

    def _call(self, request: Any) -> HttpResponseBase:
        body = request.body
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"The body is larger than {MAX_BODY_BYTES} bytes")
        stream = _wants_stream(body)
        call = MeteredCall(
            call_of(
                request.headers,
                organization_id=request.auth.organization_id,
                sent_by=request.auth.pk,
                only_customer=request.auth.customer,
            )
        )
        call.refuse_if_stopped(is_customers_own=request.auth.customer is not None)
        aside = request.META.get("taximeter.set_aside", nullcontext)
        with aside():
            answer = engine.send("POST", self.path, body, request_id=call.id, call=call.call)
        if not answer.comes_in_pieces:
            return _whole(answer, call)
        # Of a whole answer that takes long there are signs of life, to learn from them whether the client is there.
        form, content_type = (Events(), "text/event-stream") if stream else (Whole(), "application/json")
        pieces = relay(answer, call, aside, form)
        next(pieces)  # from here on, closing it ends the call, also where nothing was read of it
        response = StreamingHttpResponse(pieces, content_type=content_type)
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        response[CALL_HEADER] = call.id
        return response


class ChatCompletionsView(CallView):
    path = "/v1/chat/completions"

    @extend_schema(request=dict, responses=_ANSWERS)
    def post(self, request: Any) -> HttpResponseBase:
        """A chat completion, streamed where the body says `"stream": true`. Each is one `inference.call` event."""
        return self._call(request)


class CompletionsView(CallView):
    path = "/v1/completions"

    @extend_schema(request=dict, responses=_ANSWERS)
    def post(self, request: Any) -> HttpResponseBase:
        """A text that goes on from `prompt`, streamed where the body says so. Each is one `inference.call` event."""
        return self._call(request)


class EmbeddingsView(CallView):
    path = "/v1/embeddings"

    @extend_schema(request=dict)
    def post(self, request: Any) -> HttpResponseBase:
        """A vector for each `input`, by models made for it. Each request is one `inference.call` event."""
        return self._call(request)


def _wants_stream(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is not valid JSON: {error}", code="malformed_json") from None
    return isinstance(content, dict) and content.get("stream") is True


def _whole(answer: engine.Answer, call: MeteredCall) -> HttpResponse:
    body = answer.read()
    if answer.status == 200:
        call.note(json.dumps(json.loads(body)["taximeter"]).encode())
        call.record()  # before the answer is given: what is not metered is not given
    response = HttpResponse(body, status=answer.status, content_type="application/json")
    if answer.status == 200:
        response[CALL_HEADER] = call.id
    if "Retry-After" in answer.headers:
        response["Retry-After"] = answer.headers["Retry-After"]
    return response
